/* serve_load.c: clients of an inference server on a Unix socket: each sends a request, waits for the answer, and sends
   the next. Prints requests a second and the time of an answer at percentiles.
   usage: serve_load SOCKET line|http CLIENTS SECONDS
          serve_load SOCKET ask     sends the lines of the input one by one, and prints the answers */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FEATURES = 64, MOST = 1 << 20 };

typedef struct load {
  const char *path;
  bool http;
  double until;
  char request[4096];
  size_t length;
} load;

typedef struct worker {
  const load *l;
  pthread_t thread;
  float *us;
  int n;
  bool failed;
} worker;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/* Whether the n bytes are a whole answer. */
static bool complete(const load *l, char *text, size_t n) {
  text[n] = 0;
  if (!l->http) return n > 0 && text[n - 1] == '\n';
  const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
  return body && length && n >= (size_t)(body + 4 - text) + (size_t)atol(length + 15);
}

static bool ask(const load *l, int fd) {
  char answer[8192];
  size_t n = 0;
  if (write(fd, l->request, l->length) != (ssize_t)l->length) return false;
  do {
    ssize_t got = read(fd, answer + n, sizeof answer - 1 - n);
    if (got <= 0) return false;
    n += (size_t)got;
  } while (!complete(l, answer, n));
  return strstr(answer, "error") == NULL && (!l->http || strstr(answer, " 200 ") != NULL);
}

static void *work(void *arg) {
  worker *w = arg;
  int fd = connect_to(w->l->path);
  w->failed = fd < 0;
  for (double t = now(); !w->failed && t < w->l->until && w->n < MOST;) {
    w->failed = !ask(w->l, fd);
    double then = now();
    w->us[w->n++] = (float)(1e6 * (then - t));
    t = then;
  }
  if (fd >= 0) close(fd);
  return NULL;
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void make_request(load *l) {
  char body[2048];
  size_t n = 0;
  for (int i = 0; i < FEATURES; i++)
    n += (size_t)snprintf(body + n, sizeof body - n, "%s%.3f", i ? (l->http ? "," : " ") : "",
                          0.01 * i);
  if (l->http)
    l->length =
        (size_t)snprintf(l->request, sizeof l->request,
                         "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n[%s]",
                         n + 2, body);
  else l->length = (size_t)snprintf(l->request, sizeof l->request, "%s\n", body);
}

static int ask_all(const char *path) {
  char line[1 << 15];
  int fd = connect_to(path);
  while (fd >= 0 && fgets(line, sizeof line, stdin)) {
    if (write(fd, line, strlen(line)) != (ssize_t)strlen(line)) return 1;
    for (char c = 0; c != '\n'; putchar(c))
      if (read(fd, &c, 1) != 1) return 1;
  }
  return fd < 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[2], "ask") == 0) return ask_all(argv[1]);
  if (argc != 5) return fprintf(stderr, "usage: serve_load SOCKET line|http CLIENTS SECONDS\n"), 2;
  int clients = atoi(argv[3]), total = 0;
  double seconds = atof(argv[4]);
  load l = {.path = argv[1], .http = strcmp(argv[2], "http") == 0, .until = now() + seconds};
  make_request(&l);
  worker *w = calloc((size_t)clients, sizeof *w);
  for (int i = 0; w && i < clients; i++) {
    w[i].l = &l;
    w[i].us = malloc(MOST * sizeof(float));
    if (w[i].us == NULL || pthread_create(&w[i].thread, NULL, work, &w[i]) != 0) return 1;
  }
  bool failed = w == NULL;
  for (int i = 0; i < clients; i++) {
    pthread_join(w[i].thread, NULL);
    failed |= w[i].failed;
    total += w[i].n;
  }
  if (failed || total == 0) return fprintf(stderr, "serve_load: a request failed\n"), 1;
  float *all = malloc((size_t)total * sizeof *all);
  if (all == NULL) return 1;
  for (int i = 0, at = 0; i < clients; at += w[i++].n)
    memcpy(all + at, w[i].us, (size_t)w[i].n * sizeof *all);
  qsort(all, (size_t)total, sizeof *all, by_size);
  printf("%d clients: %.0f requests/s, median %.0f us, 99 %% %.0f us\n", clients,
         (double)total / seconds, (double)all[total / 2], (double)all[(int)(0.99 * total)]);
  return 0;
}
