/* http.c: the server of http.h. Callbacks run in libmicrohttpd's thread, everything else in any; what both touch is under
   the server's mutex, which may be held while the library's own locks are taken, never the other way round. */
#ifdef PT_HAVE_HTTP
#include "http/http.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "io/library.h"
#include "wait.h"

enum {
  PIECE = 1 << 15,        /* bytes of a stream that the library takes at a time */
  BACKLOG = 16 << 20,     /* bytes of a stream that a client may leave unread */
  DROPPED = 16,           /* a body longer than so many times the limit ends the connection */
  FLUSH = 5,              /* seconds that close waits for what is answered */
  HEADER_MEMORY = 1 << 15 /* bytes of a connection for request line and headers */
};
enum { READING, WAITING, ANSWERED, STREAMING };

/* ---- the library ---- */

#define NAMES(X)                       \
  X(MHD_start_daemon)                  \
  X(MHD_stop_daemon)                   \
  X(MHD_quiesce_daemon)                \
  X(MHD_get_daemon_info)               \
  X(MHD_get_connection_info)           \
  X(MHD_get_connection_values)         \
  X(MHD_suspend_connection)            \
  X(MHD_resume_connection)             \
  X(MHD_create_response_from_buffer)   \
  X(MHD_create_response_from_callback) \
  X(MHD_add_response_header)           \
  X(MHD_queue_response)                \
  X(MHD_destroy_response)

static struct { NAMES(PTI_LIBRARY_POINTER) } lib;
static const char *const names[] = {NAMES(PTI_LIBRARY_NAME) NULL};
static pti_library library = {.file = "libmicrohttpd.so.12",
                              .what = "HTTP",
                              .package = "libmicrohttpd12",
                              .at = (void **)&lib,
                              .names = names};

typedef struct line {
  pti_http_request *first, *last;
  int n;
} line;

struct pti_http {
  pti_http_options o;
  int64_t id;
  int refs, port, door;
  pthread_mutex_t mutex;
  pthread_cond_t change;
  struct MHD_Daemon *daemon;
  line lines[2];
  pti_http_request *all;
  bool draining, over, closed;
  char said[128]; /* the library's last message */
  pti_http *next; /* of all servers */
};

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pti_http *servers;
static int64_t last_id;

bool pti_http_add(pti_http_text *t, const void *data, size_t n) {
  if (n > SIZE_MAX / 4 - t->n) return false;
  if (t->room - t->n < n) {
    size_t room = t->n + n + (t->n + n) / 2;
    char *more = realloc(t->data, room);
    if (more == NULL) return false;
    t->data = more;
    t->room = room;
  }
  if (n) memcpy(t->data + t->n, data, n);
  t->n += n;
  return true;
}

static void clear(pti_http_text *t) {
  free(t->data);
  *t = (pti_http_text){.n = 0};
}

/* ---- requests ---- */

static void free_request(pti_http_request *r) {
  clear(&r->headers);
  clear(&r->body);
  clear(&r->answer);
  clear(&r->fields);
  free((char *)r->method);
  free((char *)r->path);
  free(r);
}

/* One reference less; the mutex is held. */
static void unref(pti_http_request *r) {
  if (--r->refs > 0) return;
  *(r->before ? &r->before->after : &r->server->all) = r->after;
  if (r->after) r->after->before = r->before;
  free_request(r);
}

static enum MHD_Result note_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
  pti_http_request *r = cls;
  (void)kind;
  if (value == NULL) value = "";
  return pti_http_add(&r->headers, name, strlen(name) + 1) &&
          pti_http_add(&r->headers, value, strlen(value) + 1)
      ? MHD_YES
      : MHD_NO;
}

/* The library's reference to a request whose headers are there; NULL where there is no memory. */
static pti_http_request *begin(pti_http *s, struct MHD_Connection *c, const char *path,
                               const char *method) {
  pti_http_request *r = calloc(1, sizeof *r);
  if (r == NULL) return NULL;
  const union MHD_ConnectionInfo *info =
      lib.MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
  r->method = strdup(method);
  r->path = strdup(path);
  int had = 0;
  if (r->method && r->path) had = lib.MHD_get_connection_values(c, MHD_HEADER_KIND, NULL, NULL);
  if (info == NULL || r->method == NULL || r->path == NULL ||
      lib.MHD_get_connection_values(c, MHD_HEADER_KIND, note_header, r) != had) {
    free_request(r);
    return NULL;
  }
  r->fd = info->connect_fd;
  r->server = s;
  r->connection = c;
  r->refs = 1;
  pthread_mutex_lock(&s->mutex);
  r->after = s->all;
  if (s->all) s->all->before = r;
  s->all = r;
  pthread_mutex_unlock(&s->mutex);
  return r;
}

/* Bytes of the body; false ends the connection. */
static bool take_body(pti_http_request *r, const char *data, size_t n) {
  size_t limit = r->server->o.body_limit;
  if (!r->too_large && n <= limit && r->body.n <= limit - n) return pti_http_add(&r->body, data, n);
  r->too_large = true;
  r->dropped += r->body.n + n;
  clear(&r->body);
  return r->dropped / DROPPED <= limit;
}

/* ---- lines: the mutex is held ---- */

static void enter(line *l, pti_http_request *r) {
  r->link = NULL;
  *(l->last ? &l->last->link : &l->first) = r;
  l->last = r;
  l->n++;
}

static pti_http_request *leave(line *l) {
  pti_http_request *r = l->first;
  if (r == NULL) return NULL;
  l->first = r->link;
  if (l->first == NULL) l->last = NULL;
  l->n--;
  return r;
}

/* ---- what the library asks: in its thread ---- */

static void suspend(pti_http_request *r) {
  r->suspended = true;
  lib.MHD_suspend_connection(r->connection);
}

static void resume(pti_http_request *r) {
  if (r->suspended && r->connection) lib.MHD_resume_connection(r->connection);
  r->suspended = false;
}

/* The next bytes of a stream. */
static ssize_t pull(void *cls, uint64_t at, char *to, size_t room) {
  pti_http_request *r = cls;
  pti_http *s = r->server;
  ssize_t got = 0;
  (void)at;
  pthread_mutex_lock(&s->mutex);
  size_t left = r->answer.n - r->sent, n = left < room ? left : room;
  if (r->cut || (s->closed && !r->ended)) {
    got = MHD_CONTENT_READER_END_WITH_ERROR;
  } else if (n > 0) {
    memcpy(to, r->answer.data + r->sent, n);
    r->sent += n;
    if (r->sent == r->answer.n) r->sent = r->answer.n = 0;
    got = (ssize_t)n;
  } else if (r->ended) {
    got = MHD_CONTENT_READER_END_OF_STREAM;
  } else {
    suspend(r);
  }
  pthread_mutex_unlock(&s->mutex);
  return got;
}

/* Hands an answer over, without the mutex: the library has one of its own for it, which it holds when it calls pull. */
static enum MHD_Result queue(pti_http_request *r, bool last) {
  struct MHD_Response *response = r->state == STREAMING
      ? lib.MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, pull, r, NULL)
      : lib.MHD_create_response_from_buffer(r->answer.n, r->answer.data, MHD_RESPMEM_PERSISTENT);
  if (response == NULL) return MHD_NO;
  for (const char *at = r->fields.data, *end = at ? at + r->fields.n : at; at < end;) {
    const char *value = at + strlen(at) + 1;
    lib.MHD_add_response_header(response, at, value);
    at = value + strlen(value) + 1;
  }
  if (last) lib.MHD_add_response_header(response, "Connection", "close");
  enum MHD_Result ok = lib.MHD_queue_response(r->connection, (unsigned)r->status, response);
  lib.MHD_destroy_response(response);
  return ok;
}

/* A whole request rests in the first line, or is refused; false where the connection ends. The mutex is held. */
static bool admit(pti_http *s, pti_http_request *r) {
  if (s->closed) return false;
  if (s->draining) {
    r->status = 503;
    r->state = ANSWERED;
    return true;
  }
  suspend(r);
  r->state = WAITING;
  r->refs++; /* of who takes it */
  enter(&s->lines[0], r);
  pthread_cond_broadcast(&s->change);
  return true;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *data, size_t *n,
                              void **at) {
  pti_http *s = cls;
  pti_http_request *r = *at;
  (void)version;
  if (r == NULL) return (*at = begin(s, c, path, method)) ? MHD_YES : MHD_NO;
  if (*n > 0) {
    bool ok = take_body(r, data, *n);
    *n = 0;
    return ok ? MHD_YES : MHD_NO;
  }
  pthread_mutex_lock(&s->mutex);
  bool ok = r->state != WAITING; /* else closed while it waited */
  if (r->state == READING) ok = admit(s, r);
  bool answered = r->state == ANSWERED || r->state == STREAMING, last = s->draining;
  pthread_mutex_unlock(&s->mutex);
  if (answered) return queue(r, last);
  return ok ? MHD_YES : MHD_NO;
}

static void completed(void *cls, struct MHD_Connection *c, void **at,
                      enum MHD_RequestTerminationCode why) {
  pti_http *s = cls;
  pti_http_request *r = *at;
  (void)c, (void)why;
  if (r == NULL) return;
  *at = NULL;
  pthread_mutex_lock(&s->mutex);
  r->connection = NULL;
  unref(r);
  pthread_cond_broadcast(&s->change);
  pthread_mutex_unlock(&s->mutex);
}

/* Keeps what the library says while it starts, which is why it cannot. */
static PTI_PRINTF(2, 0) void note_message(void *cls, const char *format, va_list list) {
  pti_http *s = cls;
  if (s->daemon == NULL && s->said[0] == 0) vsnprintf(s->said, sizeof s->said, format, list);
}

/* ---- opening and closing ---- */

/* Four numbers with dots between them; names are not looked up. */
static bool read_address(const char *text, unsigned char bytes[4]) {
  for (int i = 0; i < 4; i++) {
    int n = 0, digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 3; text++, digits++) n = 10 * n + *text - '0';
    if (digits == 0 || n > 255 || *text != (i < 3 ? '.' : 0)) return false;
    bytes[i] = (unsigned char)n;
    text++;
  }
  return true;
}

static bool start(pti_http *s) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->o.port)};
  unsigned char bytes[4];
  if (!read_address(s->o.address, bytes))
    return pti_refuse(PT_EARG, "%s is no address like 127.0.0.1", s->o.address);
  memcpy(&address.sin_addr, bytes, 4);
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  sigset_t all, was; /* signals are for the threads of the program */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &was);
  errno = 0;
  struct MHD_Daemon *d = lib.MHD_start_daemon(
      flags, (uint16_t)s->o.port, NULL, NULL, handle, s, MHD_OPTION_EXTERNAL_LOGGER, note_message,
      s, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->o.connections,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)s->o.patience, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)HEADER_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, completed, s,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &was, NULL);
  if (d == NULL) {
    const char *why = error ? strerror(error) : s->said[0] ? s->said : "it does not start";
    return pti_refuse(PT_EIO, "%s, port %d: %s", s->o.address, s->o.port, why);
  }
  s->daemon = d;
  const union MHD_DaemonInfo *info = lib.MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
  s->port = info ? info->port : s->o.port;
  return true;
}

pti_http *pti_http_open(const pti_http_options *o) {
  if (!pti_library_open(&library)) return NULL;
  pti_http *s = calloc(1, sizeof *s);
  if (s == NULL) return pti_fail(PT_EMEMORY, "out of memory");
  s->o = *o;
  s->refs = 1;
  s->door = -1;
  pthread_mutex_init(&s->mutex, NULL);
  pti_init_cond(&s->change);
  if (!start(s)) {
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->change);
    free(s);
    return NULL;
  }
  pthread_mutex_lock(&registry);
  s->id = ++last_id;
  s->next = servers;
  servers = s;
  pthread_mutex_unlock(&registry);
  return s;
}

pti_http *pti_http_find(int64_t id) {
  pthread_mutex_lock(&registry);
  pti_http *s = servers;
  while (s && s->id != id) s = s->next;
  if (s) s->refs++;
  pthread_mutex_unlock(&registry);
  return s ? s : pti_fail(PT_EARG, "the server is closed");
}

static void retain(pti_http *s) {
  pthread_mutex_lock(&registry);
  s->refs++;
  pthread_mutex_unlock(&registry);
}

void pti_http_release(pti_http *s) {
  if (s == NULL) return;
  pthread_mutex_lock(&registry);
  bool last = --s->refs == 0;
  if (last) {
    pti_http **at = &servers;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
  }
  pthread_mutex_unlock(&registry);
  if (!last) return;
  pti_http_close(s);
  pthread_mutex_destroy(&s->mutex);
  pthread_cond_destroy(&s->change);
  free(s);
}

int64_t pti_http_id(const pti_http *s) { return s->id; }
int pti_http_port(const pti_http *s) { return s->port; }

static void drain(pti_http *s) {
  if (s->draining) return;
  s->draining = true;
  s->door = lib.MHD_quiesce_daemon(s->daemon);
  if (s->door >= 0) shutdown(s->door, SHUT_RDWR); /* closed when the library's thread has ended */
  pthread_cond_broadcast(&s->change);
}

void pti_http_drain(pti_http *s) {
  pthread_mutex_lock(&s->mutex);
  if (!s->closed) drain(s);
  pthread_mutex_unlock(&s->mutex);
}

/* Whether an answer is still to be sent. */
static bool sends(const pti_http *s) {
  for (const pti_http_request *r = s->all; r; r = r->after) {
    if (r->connection && (r->state == ANSWERED || (r->state == STREAMING && r->ended))) return true;
  }
  return false;
}

void pti_http_close(pti_http *s) {
  pthread_mutex_lock(&s->mutex);
  if (s->closed) {
    pthread_mutex_unlock(&s->mutex);
    return;
  }
  drain(s);
  double end = pt_clock() + FLUSH;
  while (sends(s) && pt_clock() < end) pti_wait_slice(&s->change, &s->mutex, end - pt_clock());
  s->closed = true;
  for (int i = 0; i < 2; i++) {
    for (pti_http_request *r; (r = leave(&s->lines[i]));) {
      resume(r); /* the library holds another reference: handle refuses it */
      unref(r);
    }
  }
  for (pti_http_request *r = s->all; r; r = r->after) resume(r);
  pthread_cond_broadcast(&s->change);
  pthread_mutex_unlock(&s->mutex);
  lib.MHD_stop_daemon(s->daemon);
  if (s->door >= 0) close(s->door);
}

/* ---- taking ---- */

/* Whether nothing more will come into a line; the mutex is held. */
static bool is_over(pti_http *s, int number) {
  if (s->closed) return true;
  if (s->lines[number - 1].n > 0) return false;
  if (number == 1) {
    if (s->draining && !s->over) pthread_cond_broadcast(&s->change);
    s->over = s->over || s->draining;
  }
  return s->over;
}

pti_http_request *pti_http_take(pti_http *s, int number, double seconds, bool *over) {
  double end = pt_clock() + seconds, left;
  pthread_mutex_lock(&s->mutex);
  pti_http_request *r = NULL;
  for (;;) {
    r = leave(&s->lines[number - 1]);
    *over = r == NULL && is_over(s, number);
    left = end - pt_clock();
    if (r || *over || left <= 0 || !pti_poll()) break;
    pti_wait_slice(&s->change, &s->mutex, left);
  }
  pthread_mutex_unlock(&s->mutex);
  if (r) retain(s);
  return r;
}

bool pti_http_pass(pti_http_request *r) {
  pti_http *s = r->server;
  pthread_mutex_lock(&s->mutex);
  bool room = s->lines[1].n < s->o.line_limit && !s->closed && r->state == WAITING;
  if (room) enter(&s->lines[1], r);
  if (room) pthread_cond_broadcast(&s->change);
  pthread_mutex_unlock(&s->mutex);
  if (room) pti_http_release(s);
  return room;
}

int pti_http_waiting(pti_http *s) {
  pthread_mutex_lock(&s->mutex);
  int n = s->lines[1].n;
  pthread_mutex_unlock(&s->mutex);
  return n;
}

/* ---- answering ---- */

/* Gives a request that waits its answer, or the beginning of one; false where it is gone or answered. */
static bool answer(pti_http_request *r, int state, int status, const pti_http_text *fields,
                   const char *body, size_t n) {
  pti_http *s = r->server;
  pthread_mutex_lock(&s->mutex);
  bool ok = r->state == WAITING && r->connection && !s->closed;
  ok = ok && pti_http_add(&r->fields, fields->data, fields->n) && pti_http_add(&r->answer, body, n);
  if (ok) {
    r->status = status;
    r->state = state;
    resume(r);
  }
  pthread_mutex_unlock(&s->mutex);
  return ok;
}

bool pti_http_respond(pti_http_request *r, int status, const pti_http_text *fields,
                      const char *body, size_t n) {
  return answer(r, ANSWERED, status, fields, body, n);
}

bool pti_http_begin(pti_http_request *r, int status, const pti_http_text *fields) {
  return answer(r, STREAMING, status, fields, NULL, 0);
}

bool pti_http_write(pti_http_request *r, const char *data, size_t n) {
  pti_http *s = r->server;
  pthread_mutex_lock(&s->mutex);
  bool ok = r->state == STREAMING && r->connection && !r->ended && !r->cut && !s->closed;
  if (ok && (n > BACKLOG || r->answer.n - r->sent > BACKLOG - n)) {
    r->cut = true;
    ok = false;
  }
  ok = ok && pti_http_add(&r->answer, data, n);
  resume(r);
  pthread_mutex_unlock(&s->mutex);
  return ok;
}

bool pti_http_end(pti_http_request *r) {
  pti_http *s = r->server;
  pthread_mutex_lock(&s->mutex);
  bool ok = r->state == STREAMING && r->connection && !r->cut && !s->closed;
  r->ended = true;
  resume(r);
  pthread_mutex_unlock(&s->mutex);
  return ok;
}

bool pti_http_gone(pti_http_request *r) {
  pti_http *s = r->server;
  pthread_mutex_lock(&s->mutex);
  bool gone = r->connection == NULL || r->cut || s->closed;
  if (!gone) { /* the library does not look at a connection that rests */
    struct pollfd p = {.fd = r->fd, .events = POLLRDHUP};
    gone = poll(&p, 1, 0) == 1 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
  }
  pthread_mutex_unlock(&s->mutex);
  return gone;
}

void pti_http_drop(pti_http_request *r) {
  pti_http *s = r->server;
  pthread_mutex_lock(&s->mutex);
  if (r->state == WAITING) {
    r->status = 500;
    r->state = ANSWERED;
    resume(r);
  } else if (r->state == STREAMING && !r->ended) {
    r->cut = true;
    resume(r);
  }
  unref(r);
  pthread_mutex_unlock(&s->mutex);
  pti_http_release(s);
}

#endif
