/* prompt.c: how quick the prompt of `ptlua` is on a terminal: ready, the echo of a key while a pool computes, Tab,
   Ctrl-C. The best of several tries counts, as other programs may run. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SLOWER = 40 };
#else
enum { SLOWER = 1 };
#endif
enum { TRIES = 12 };

static int terminal;
static char screen[1 << 16];
static size_t length;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void type(const char *text) {
  if (write(terminal, text, strlen(text)) < 0) exit(2);
}

/* Until `text` was written since the last call; ends the program after 20 s. */
static void wait_for(const char *text) {
  double start = now();
  length = 0;
  screen[0] = 0;
  while (strstr(screen, text) == NULL) {
    struct pollfd from = {.fd = terminal, .events = POLLIN};
    if (poll(&from, 1, 100) > 0 && length < sizeof screen - 1) {
      ssize_t n = read(terminal, screen + length, sizeof screen - 1 - length);
      if (n <= 0) break;
      screen[length += (size_t)n] = 0;
    }
    if (now() - start > 20e3) {
      printf("'%s' did not come:\n%s\n", text, screen);
      exit(1);
    }
  }
}

static pid_t start(const char *program) {
  terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) exit(2);
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  ioctl(terminal, TIOCSWINSZ, &size);
  const char *name = ptsname(terminal);
  pid_t child = fork();
  if (child != 0) return child;
  setsid();
  int fd = open(name, O_RDWR);
  for (int i = 0; i < 3; i++) dup2(fd, i);
  close(terminal);
  setenv("TERM", "xterm", 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  setenv("PTLUA_HISTORY", "", 1);
  execl(program, "ptlua", (char *)NULL);
  _exit(127);
}

static void end(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  close(terminal);
}

static bool within(const char *what, double best, double limit) {
  printf("%s: %.2f ms (at most %g)\n", what, best, limit * SLOWER);
  return best <= limit * SLOWER;
}

/* Reads what is still to come. */
static void drain(void) {
  struct pollfd from = {.fd = terminal, .events = POLLIN};
  while (poll(&from, 1, 20) > 0 && read(terminal, screen, sizeof screen - 1) > 0) continue;
}

static double measure(void (*act)(void)) {
  double best = 1e9;
  for (int i = 0; i < TRIES; i++) {
    drain();
    double from = now();
    act();
    double took = now() - from;
    if (took < best) best = took;
  }
  return best;
}

static void echo(void) {
  type("q");
  wait_for("q");
}

static void tab(void) {
  type("pt.softma\t");
  wait_for("x"); /* the one letter that is missing */
  type("\025");  /* Ctrl-U */
}

#ifdef __SANITIZE_THREAD__ /* it holds signals back until the program calls the system */
static bool interrupts(void) { return true; }
#else
/* From Ctrl-C to the next prompt, while this input runs. */
static double interrupted(const char *input) {
  double best = 1e9;
  for (int i = 0; i < 3; i++) {
    type(input);
    type("\r");
    usleep(150000);
    drain();
    double from = now();
    type("\003");
    wait_for("interrupted");
    if (now() - from < best) best = now() - from;
    drain();
  }
  return best;
}

static bool interrupts(void) {
  bool ok = within("Ctrl-C in a loop", interrupted("while true do end"), 100);
  ok &=
      within("Ctrl-C in a product",
             interrupted("while true do x = pt.ones(500, 500):matmul(pt.ones(500, 500)) end"), 100);
  ok &= within("Ctrl-C within a pool",
               interrupted("pt.pool(2):map(function() while true do end end, { 1, 2, 3 })"), 100);
  return ok;
}
#endif

int main(int argc, char **argv) {
  (void)argc;
  char program[4096], *slash = strrchr(argv[0], '/');
  snprintf(program, sizeof program, "%.*s/../ptlua", slash ? (int)(slash - argv[0]) : 1,
           slash ? argv[0] : ".");
  double ready = 1e9;
  pid_t child = 0;
  for (int i = 0; i < TRIES; i++) {
    if (child) end(child);
    double from = now();
    child = start(program);
    wait_for("1> ");
    if (now() - from < ready) ready = now() - from;
  }
  bool ok = within("prompt ready", ready, 30);
  type("pt.sum(pt.ones(1)).ndim\r");
  wait_for("2> ");
  ok &= within("Tab", measure(tab), 20);
  type("pool = pt.pool(2); f = pool:submit(function() while true do end end)"
       "; g = pool:submit(function() while true do end end)\r");
  wait_for("3> ");
  ok &= within("echo of a key beside a pool at work", measure(echo), 5);
  type("\025");
  type("pool, f, g = nil\r");
  drain();
  ok &= interrupts();
  end(child);
  return ok ? 0 : 1;
}
