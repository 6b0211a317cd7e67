/* lua_listen.c: a socket by which the user's other programs talk to a running script (`ptlua --attach`). A thread
   waits for them; what they ask is answered by Lua, in the script's own thread, between two of its instructions. A
   message is its length in four bytes, little-endian, and that many bytes; the first one tells its kind. One client at
   a time, of the same user. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "binding.h"

enum { LONGEST = 64 << 20, PATIENCE = 2 /* seconds that a client may take to read an answer */ };

/* One in the process. The thread owns `door` and reads from `client`; the script's thread writes to it. */
typedef struct listener {
  pt_vm *vm; /* whose script it is */
  lua_State *L;
  pthread_t thread;
  int door, stop[2];
  _Atomic int client; /* -1: none */
  pthread_mutex_t lock;
  char *request; /* waits for the script; NULL: none */
  size_t length;
  _Atomic bool busy; /* a request is being answered */
  _Atomic bool ends; /* the script is to be interrupted when that is done */
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
} listener;

static const char handler_key; /* of the function that answers, in the registry */
static _Atomic(listener *) active;

/* ---- messages ---- */

static bool read_all(int fd, char *to, size_t n) {
  for (ssize_t got; n > 0; to += got, n -= (size_t)got) {
    got = read(fd, to, n);
    if (got == 0 || (got < 0 && errno != EINTR)) return false;
    if (got < 0) got = 0;
  }
  return true;
}

static bool send_all(int fd, const char *from, size_t n) {
  for (ssize_t sent; n > 0; from += sent, n -= (size_t)sent) {
    sent = send(fd, from, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return false;
    if (sent < 0) sent = 0;
  }
  return true;
}

static bool send_message(int fd, const char *text, size_t n) {
  unsigned char head[4] = {n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24 & 255};
  return n <= LONGEST && send_all(fd, (char *)head, 4) && send_all(fd, text, n);
}

/* malloc'ed; NULL at the end of the connection, or where it breaks the rules */
static char *read_message(int fd, size_t *n) {
  unsigned char head[4];
  if (!read_all(fd, (char *)head, 4)) return NULL;
  *n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
  if (*n == 0 || *n > LONGEST) return NULL;
  char *text = malloc(*n);
  if (text && read_all(fd, text, *n)) return text;
  free(text);
  return NULL;
}

/* ---- the thread ---- */

static bool has_request(listener *s) {
  pthread_mutex_lock(&s->lock);
  bool waits = s->request != NULL;
  pthread_mutex_unlock(&s->lock);
  return waits;
}

/* Between two instructions of the script: its function answers what was asked. What it runs for that is interrupted by
   the next request in turn, which waits. */
static void serve(lua_State *L) {
  static bool serving;
  listener *s = atomic_load(&active);
  if (s == NULL || serving || !lua_checkstack(L, 4)) return;
  do {
    serving = true;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &handler_key);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
    serving = false;
  } while (atomic_load(&active) == s && has_request(s));
  if (atomic_load(&active) == s && atomic_exchange(&s->ends, false)) kill(getpid(), SIGINT);
}

static void drop_client(listener *s) {
  pthread_mutex_lock(&s->lock); /* no answer is being sent to it */
  int fd = atomic_exchange(&s->client, -1);
  if (fd >= 0) close(fd);
  free(s->request);
  s->request = NULL;
  pthread_mutex_unlock(&s->lock);
}

/* Whether the other side is the same user. */
static bool is_ours(int fd) {
  struct ucred who;
  socklen_t n = sizeof who;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

static void admit(listener *s) {
  int fd = accept4(s->door, NULL, NULL, SOCK_CLOEXEC), none = -1;
  if (fd < 0) return;
  struct timeval patience = {.tv_sec = PATIENCE};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (is_ours(fd) && atomic_compare_exchange_strong(&s->client, &none, fd)) return;
  static const char taken[] = "Xsomebody else is attached";
  send_message(fd, taken, sizeof taken - 1);
  close(fd);
}

static void receive(listener *s, int fd) {
  size_t n = 0;
  char *text = read_message(fd, &n);
  if (text == NULL) {
    drop_client(s);
  } else if (*text == 'I') { /* stops what runs for this client, if anything does */
    if (atomic_load(&s->busy)) pt_vm_interrupt(s->vm);
    free(text);
  } else {
    pthread_mutex_lock(&s->lock);
    free(s->request);
    s->request = text;
    s->length = n;
    pthread_mutex_unlock(&s->lock);
    pl_post(s->vm, s->L, serve);
  }
}

static void *wait_for_clients(void *arg) {
  listener *s = arg;
  for (;;) {
    int client = atomic_load(&s->client);
    struct pollfd from[3] = {{.fd = s->stop[0], .events = POLLIN},
                             {.fd = s->door, .events = POLLIN},
                             {.fd = client, .events = POLLIN}};
    if (poll(from, 3, -1) < 0 && errno != EINTR) break;
    if (from[0].revents) break;
    if (from[1].revents) admit(s);
    if (client >= 0 && from[2].revents) receive(s, client);
  }
  drop_client(s);
  return NULL;
}

/* ---- for the script ---- */

static int close_listener(lua_State *L) {
  listener **box = luaL_checkudata(L, 1, "pt.Listener"), *s = *box;
  if (s == NULL) return 0;
  *box = NULL;
  atomic_store(&active, NULL);
  while (write(s->stop[1], "", 1) < 0 && errno == EINTR) continue;
  pthread_join(s->thread, NULL);
  close(s->door);
  close(s->stop[0]);
  close(s->stop[1]);
  unlink(s->path);
  pthread_mutex_destroy(&s->lock);
  free(s);
  return 0;
}

/* Removes the name of a socket that nobody listens to any more. */
static bool open_door(listener *s) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  memcpy(name.sun_path, s->path, sizeof name.sun_path);
  s->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s->door < 0) return false;
  struct stat old;
  if (lstat(s->path, &old) == 0 && S_ISSOCK(old.st_mode)) {
    if (connect(s->door, (struct sockaddr *)&name, sizeof name) == 0)
      return errno = EADDRINUSE, false;
    unlink(s->path);
  }
  mode_t mask = umask(0177);
  bool bound = bind(s->door, (struct sockaddr *)&name, sizeof name) == 0;
  umask(mask);
  return bound && listen(s->door, 4) == 0;
}

static bool start(listener *s) {
  sigset_t all, was;
  if (!open_door(s)) return false;
  if (pipe2(s->stop, O_CLOEXEC) != 0) return false;
  sigfillset(&all); /* signals are for the script's thread */
  pthread_sigmask(SIG_SETMASK, &all, &was);
  int failed = pthread_create(&s->thread, NULL, wait_for_clients, s);
  pthread_sigmask(SIG_SETMASK, &was, NULL);
  return failed ? errno = failed, false : true;
}

/* core.listen(path, handler): the handler is called between two instructions when something was asked */
static int listen_at(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (pti_this.worker != NULL) return pl_error(L, PT_EARG, "listen: workers of a pool cannot");
  if (atomic_load(&active)) return pl_error(L, PT_EARG, "listen: this process listens already");
  listener **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  if (luaL_newmetatable(L, "pt.Listener")) {
    lua_pushcfunction(L, close_listener);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  listener *s = calloc(1, sizeof *s);
  if (s == NULL) return pl_error(L, PT_EMEMORY, "listen: no memory");
  if (strlen(path) >= sizeof s->path) {
    free(s);
    return pl_error(L, PT_EARG, "listen: the path %s is too long", path);
  }
  strcpy(s->path, path);
  s->vm = pl_current_vm();
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  s->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  s->door = -1;
  atomic_store(&s->client, -1);
  pthread_mutex_init(&s->lock, NULL);
  if (!start(s)) {
    int error = errno;
    if (s->door >= 0) close(s->door);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return pl_error(L, PT_EIO, "listen: %s: %s", path, strerror(error));
  }
  *box = s;
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.listener"); /* lives as long as the state */
  lua_pushvalue(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &handler_key);
  atomic_store(&active, s);
  return 0;
}

/* core.request() -> what was asked, or nil */
static int take_request(lua_State *L) {
  listener *s = atomic_load(&active);
  if (s == NULL) return 0;
  pthread_mutex_lock(&s->lock);
  char *text = s->request;
  size_t n = s->length;
  s->request = NULL;
  pthread_mutex_unlock(&s->lock);
  atomic_store(&s->busy, text != NULL);
  if (text == NULL) return 0;
  lua_pushlstring(L, text, n); /* may raise: the text is lost with the state's memory */
  free(text);
  return 1;
}

/* core.answer(text) -> whether it was sent; `last`: nothing runs for the client from now on */
static int answer(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  listener *s = atomic_load(&active);
  bool sent = false;
  if (s && lua_toboolean(L, 2)) atomic_store(&s->busy, false);
  if (s) {
    pthread_mutex_lock(&s->lock); /* the client is not closed meanwhile */
    int fd = atomic_load(&s->client);
    sent = fd >= 0 && send_message(fd, text, n);
    pthread_mutex_unlock(&s->lock);
  }
  lua_pushboolean(L, sent);
  return 1;
}

/* core.stop_script(): what Ctrl-C does, to the script, once the request that asks for it is answered */
static int stop_script(lua_State *L) {
  (void)L;
  listener *s = atomic_load(&active);
  if (s) atomic_store(&s->ends, true);
  return 0;
}

/* ---- for a client ---- */

/* core.connect(path) -> fd; nil and a reason. The socket must be the user's own. */
static int connect_to(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  struct stat s;
  int fd = -1;
  if (strlen(path) >= sizeof name.sun_path) errno = ENAMETOOLONG;
  else if (lstat(path, &s) == 0 && s.st_uid != geteuid()) errno = EPERM;
  else if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0) {
    strcpy(name.sun_path, path);
    if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0) {
      lua_pushinteger(L, fd);
      return 1;
    }
    int error = errno;
    close(fd);
    errno = error;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(errno));
  return 2;
}

/* core.send(fd, text) -> whether it went */
static int send_to(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 2, &n);
  lua_pushboolean(L, send_message((int)luaL_checkinteger(L, 1), text, n));
  return 1;
}

/* core.receive(fd) -> text; nil at the end; false where a signal came first */
static int receive_from(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  struct pollfd from = {.fd = fd, .events = POLLIN};
  size_t n = 0;
  if (poll(&from, 1, -1) < 0 && errno == EINTR) {
    lua_pushboolean(L, false);
    return 1;
  }
  char *text = read_message(fd, &n);
  if (text) lua_pushlstring(L, text, n);
  else lua_pushnil(L);
  free(text);
  return 1;
}

/* core.disconnect(fd) */
static int disconnect(lua_State *L) {
  close((int)luaL_checkinteger(L, 1));
  return 0;
}

/* core.process() -> its number, and the user's */
static int process(lua_State *L) {
  lua_pushinteger(L, getpid());
  lua_pushinteger(L, (lua_Integer)geteuid());
  return 2;
}

void pl_open_listen(lua_State *L) {
  static const luaL_Reg functions[] = {{"listen", listen_at},
                                       {"request", take_request},
                                       {"answer", answer},
                                       {"connect", connect_to},
                                       {"send", send_to},
                                       {"receive", receive_from},
                                       {"process", process},
                                       {"disconnect", disconnect},
                                       {"stop_script", stop_script},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
