/* system.c: package.preload["pt.program"]: what the program's scripts need of the system and Lua does not have. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "program.h"

/* probe(file, symbol or nil) -> what the function `symbol` of a shared library says of it, or true; nil and a reason */
static int probe(lua_State *L) {
  const char *symbol = luaL_optstring(L, 2, NULL);
  void *library = dlopen(luaL_checkstring(L, 1), RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    lua_pushnil(L);
    lua_pushstring(L, dlerror());
    return 2;
  }
  char *(*tell)(void) = NULL;
  if (symbol) *(void **)&tell = dlsym(library, symbol);
  if (tell) lua_pushstring(L, tell());
  else lua_pushboolean(L, true);
  return 1;
}

/* append(path, text) -> whether it was written to the end of a file that only the user may read */
static int append(lua_State *L) {
  size_t n;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &n);
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  bool done = fd >= 0 && flock(fd, LOCK_EX) == 0 && write(fd, text, n) == (ssize_t)n;
  if (fd >= 0) close(fd);
  lua_pushboolean(L, done);
  return 1;
}

/* make_executable(path): by all who may read it; nil and a reason where that fails */
static int make_executable(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct stat s;
  bool done = stat(path, &s) == 0 && chmod(path, s.st_mode | (s.st_mode & 0444) >> 2) == 0;
  lua_pushboolean(L, done);
  lua_pushfstring(L, "%s: %s", path, strerror(errno));
  return done ? 1 : 2;
}

/* ask(question, last, milliseconds) -> what the terminal answers, up to the character `last`; "" where there is none */
static int ask(lua_State *L) {
  size_t n;
  const char *question = luaL_checklstring(L, 1, &n), *last = luaL_checkstring(L, 2);
  int most = (int)luaL_checkinteger(L, 3);
  char reply[256];
  size_t got = 0;
  struct termios was, raw;
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0 && tcgetattr(fd, &was) == 0) {
    raw = was;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(fd, TCSANOW, &raw);
    bool asked = write(fd, question, n) == (ssize_t)n;
    struct pollfd from = {.fd = fd, .events = POLLIN};
    while (asked && got < sizeof reply && poll(&from, 1, most) > 0 && read(fd, reply + got, 1) == 1)
      if (reply[got++] == *last) break;
    tcsetattr(fd, TCSANOW, &was);
  }
  if (fd >= 0) close(fd);
  lua_pushlstring(L, reply, got);
  return 1;
}

int open_system(lua_State *L) {
  static const luaL_Reg functions[] = {{"probe", probe},
                                       {"append", append},
                                       {"make_executable", make_executable},
                                       {"ask", ask},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
