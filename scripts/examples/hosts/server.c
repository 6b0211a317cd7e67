/* server.c: an inference server on a Unix socket. A client sends lines of numbers and gets a line of results for each,
   in order; what a request does wrong is answered by a line that begins with "error:".

   usage: server SOCKET MODEL.lua
   The model is a script that defines predict(x), x (N, features) float32, and may return any (N, outputs). It runs in a
   sandbox: it can read files, as its weights, and do nothing else to the system. When the script's file changes, it is
   opened in a new vm; if that fails, the old one goes on. SIGTERM and SIGINT end the server.

   One thread waits for all clients. What has come by the time the last answer is out becomes one tensor: the busier the
   server, the larger its batches. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <ptlua.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 256, LINE = 16384, BATCH = 1024, FEATURES = 1024 };

typedef struct client {
  char in[LINE], out[4 * LINE];
  size_t nin, nout;
} client;

typedef struct server {
  struct pollfd fd[CLIENTS + 1]; /* the first is the one that listens */
  client *client[CLIENTS + 1];
  int n;
  pt_vm *vm;
  const char *path;
  struct timespec changed;
  float *row; /* (BATCH, FEATURES) at most, packed */
  int owner[BATCH], rows, features;
} server;

static volatile sig_atomic_t stopping;
static void on_signal(int number) {
  (void)number;
  stopping = 1;
}

/* ---- the model ---- */

static int open_to_read(void *ud, const char *path, pt_open_mode mode) {
  (void)ud;
  if (mode == PT_OPEN_READ) return open(path, O_RDONLY | O_CLOEXEC);
  errno = EACCES;
  return -1;
}

static pt_vm *open_model(const char *path) {
  pt_vm_config config = {.size = sizeof config,
                         .sandbox = PT_SANDBOX_FILES,
                         .open_file = open_to_read,
                         .memory_limit = (size_t)1 << 30,
                         .time_limit_ms = 2000};
  pt_vm *vm = pt_vm_open(&config);
  if (vm && pt_vm_run_file(vm, path, 0, NULL) == PT_OK) return vm;
  fprintf(stderr, "server: %s: %s\n", path, pt_error());
  pt_vm_close(vm);
  return NULL;
}

static void reload_if_changed(server *s) {
  struct stat now;
  if (stat(s->path, &now) != 0) return;
  if (now.st_mtim.tv_sec == s->changed.tv_sec && now.st_mtim.tv_nsec == s->changed.tv_nsec) return;
  s->changed = now.st_mtim;
  pt_vm *vm = open_model(s->path);
  if (vm == NULL) return;
  pt_vm_close(s->vm);
  s->vm = vm;
}

/* ---- answers ---- */

static void answer(server *s, int i, const char *text, size_t length) {
  client *c = s->client[i];
  if (c->nout + length > sizeof c->out) return; /* take_lines left room for an answer */
  memcpy(c->out + c->nout, text, length);
  c->nout += length;
}

static void answer_error(server *s, int i, const char *why) {
  char line[512];
  int n = snprintf(line, sizeof line - 1, "error: %s", why);
  if (n > (int)sizeof line - 2) n = (int)sizeof line - 2;
  for (int k = 0; k < n; k++)
    if (line[k] == '\n') line[k] = ' ';
  line[n] = '\n';
  answer(s, i, line, (size_t)n + 1);
}

/* The rows that were gathered, as one tensor over their memory; their results, one line each. */
static void flush(server *s) {
  if (s->rows == 0) return;
  pt_scope scope = pt_scope_begin();
  pt_tensor *y = NULL,
            *x = pt_from_host(s->row, (int64_t[]){s->rows, s->features}, 2, PT_F32, NULL, NULL);
  bool fine = pt_vm_call(s->vm, "predict", "T>T", x, &y) == PT_OK;
  y = fine ? pt_contiguous(pt_to_dtype(pt_detach(y), PT_F32)) : NULL;
  if (fine && (pt_ndim(y) != 2 || pt_size(y, 0) != s->rows || pt_size(y, 1) > FEATURES))
    fine = pt_set_error(PT_ESHAPE, "predict(x) must return a tensor (N, outputs)");
  const float *value = fine ? pt_data(y) : NULL;
  for (int i = 0; i < s->rows; i++) {
    if (!fine) {
      answer_error(s, s->owner[i], pt_error());
      continue;
    }
    char line[16 * FEATURES];
    int64_t n = pt_size(y, 1);
    size_t at = 0;
    for (int64_t k = 0; k < n; k++)
      at += (size_t)snprintf(line + at, 16, "%.6g%c", (double)value[i * n + k],
                             k + 1 < n ? ' ' : '\n');
    answer(s, s->owner[i], line, at);
  }
  pt_scope_end(scope);
  s->rows = 0;
}

/* ---- requests ---- */

static void request(server *s, int i, char *line) {
  float number[FEATURES];
  int n = 0;
  char *at = line, *end;
  for (;; at = end) {
    float x = strtof(at, &end);
    if (end == at) break;
    if (n == FEATURES) return flush(s), answer_error(s, i, "too many numbers");
    number[n++] = x;
  }
  if (n == 0 || *(at + strspn(at, " \t\r")))
    return flush(s), answer_error(s, i, "a line of numbers is wanted");
  if (s->rows == BATCH || (s->rows && n != s->features)) flush(s);
  memcpy(s->row + (size_t)s->rows * (size_t)n, number, (size_t)n * sizeof *number);
  s->features = n;
  s->owner[s->rows++] = i;
}

/* Takes the complete lines of a client, as long as there is room for their answers. */
static void take_lines(server *s, int i) {
  client *c = s->client[i];
  size_t done = 0, waiting = 0;
  char *end;
  while (c->nout + (waiting + 1) * LINE <= sizeof c->out &&
         (end = memchr(c->in + done, '\n', c->nin - done)) != NULL) {
    *end = 0;
    request(s, i, c->in + done);
    done = (size_t)(end - c->in) + 1;
    waiting++;
  }
  c->nin -= done;
  memmove(c->in, c->in + done, c->nin);
}

static void drop(server *s, int i) {
  close(s->fd[i].fd);
  free(s->client[i]);
  s->n--;
  s->fd[i] = s->fd[s->n];
  s->client[i] = s->client[s->n];
}

static void welcome(server *s) {
  int fd = accept4(s->fd[0].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  client *c = s->n <= CLIENTS ? calloc(1, sizeof *c) : NULL;
  if (c == NULL) {
    close(fd);
    return;
  }
  s->fd[s->n] = (struct pollfd){.fd = fd, .events = POLLIN};
  s->client[s->n++] = c;
}

/* Reads what there is; false where the client is gone, or sends a line without an end. */
static bool hear(server *s, int i) {
  client *c = s->client[i];
  if (c->nin == sizeof c->in) return memchr(c->in, '\n', c->nin) != NULL;
  ssize_t n = read(s->fd[i].fd, c->in + c->nin, sizeof c->in - c->nin);
  if (n > 0) c->nin += (size_t)n;
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool speak(server *s, int i) {
  client *c = s->client[i];
  ssize_t n = c->nout ? send(s->fd[i].fd, c->out, c->nout, MSG_NOSIGNAL) : 0;
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  c->nout -= (size_t)n;
  memmove(c->out, c->out + n, c->nout);
  s->fd[i].events = (short)(c->nout ? POLLIN | POLLOUT : POLLIN);
  return true;
}

static void serve(server *s) {
  bool waiting = false; /* lines that were left for lack of room */
  while (!stopping) {
    if (poll(s->fd, (nfds_t)s->n, waiting ? 0 : 500) < 0 && errno != EINTR) break;
    reload_if_changed(s);
    bool gone[CLIENTS + 1] = {false};
    for (int i = 1; i < s->n; i++) {
      if (s->fd[i].revents & (POLLIN | POLLHUP | POLLERR)) gone[i] = !hear(s, i);
      take_lines(s, i);
    }
    flush(s);
    waiting = false;
    for (int i = s->n - 1; i > 0; i--) {
      if (!speak(s, i)) gone[i] = true;
      if (!gone[i] && memchr(s->client[i]->in, '\n', s->client[i]->nin))
        waiting = s->client[i]->nout == 0;
      if (gone[i]) drop(s, i);
    }
    if (s->fd[0].revents & POLLIN) welcome(s);
  }
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  unlink(path);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
    return -1;
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: server SOCKET MODEL.lua\n"), 2;
  static server s = {.n = 1};
  struct stat file;
  s.path = argv[2];
  s.row = malloc(sizeof *s.row * BATCH * FEATURES);
  s.vm = s.row ? open_model(s.path) : NULL;
  if (s.vm == NULL) return 1;
  if (stat(s.path, &file) == 0) s.changed = file.st_mtim;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  s.fd[0] = (struct pollfd){.fd = listen_at(argv[1]), .events = POLLIN};
  if (s.fd[0].fd < 0) return fprintf(stderr, "server: %s: %s\n", argv[1], strerror(errno)), 1;
  printf("ready\n");
  fflush(stdout);
  serve(&s);
  while (s.n > 1) drop(&s, s.n - 1);
  close(s.fd[0].fd);
  unlink(argv[1]);
  pt_vm_close(s.vm);
  free(s.row);
  return 0;
}
