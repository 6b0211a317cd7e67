/* edit.c: lines edited on a terminal, for the prompt. The editor is libedit, opened when the prompt begins, so that
   the program runs without it and starts no later with it. What it lacks is added here: inputs of several lines, a
   paste in one piece, completion by a function of Lua.

   One line is edited at a time. Lua is called from within libedit, and no error of Lua may cross it. */
#include "program.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static volatile sig_atomic_t editing, interrupted;
static int alarm_pipe[2] = {
    -1, -1}; /* wakes the thread that waits for a key, whichever thread a signal came to */

static void wake(void) {
  int error = errno;
  if (alarm_pipe[1] >= 0 && write(alarm_pipe[1], "", 1) < 0) errno = error; /* full: it wakes */
  errno = error;
}

bool interrupt_editor(void) {
  if (!editing) return false;
  interrupted = 1;
  wake();
  return true;
}

#ifdef PT_HAVE_EDIT
#include <histedit.h>

enum { TYPED = 64 << 10 }; /* longer pastes stay out of the editor, which would take minutes */

/* Keys that no terminal sends, by which functions of ours call those of libedit. */
#define KEY_NEWLINE "\033[9001~"
#define KEY_OLDER "\033[9002~"
#define KEY_NEWER "\033[9003~"

#define FUNCTIONS(F) \
  F(el_init)         \
  F(el_set)          \
  F(el_gets)         \
  F(el_line)         \
  F(el_insertstr)    \
  F(el_deletestr) F(el_cursor) F(el_resize) F(el_push) F(el_reset) F(history_init) F(history)

static struct {
#define POINTER(name) __typeof__(name) *name;
  FUNCTIONS(POINTER)
#undef POINTER
} lib;

static struct {
  EditLine *el;
  History *history;
  const char *prompt;
  lua_State *L; /* while a line is edited: callbacks at index 2 of its stack */
  unsigned char bytes[64 << 10];
  size_t first, count; /* of bytes that were read and not yet taken */
} edit;

/* ---- bytes from the terminal ---- */

static volatile sig_atomic_t resized;
static void on_resize(int number) {
  (void)number;
  resized = 1;
  wake();
}

/* Within a paste much is read at once; else a byte at a time, as what was typed ahead may be meant for a script. */
static bool fill(size_t most) {
  struct pollfd from[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = alarm_pipe[0], .events = POLLIN}};
  for (;;) {
    int ready = poll(from, 2, -1);
    if (ready < 0 && errno != EINTR) return false;
    char drained[64];
    while (read(alarm_pipe[0], drained, sizeof drained) > 0) continue;
    if (interrupted) return false;
    if (resized) {
      resized = 0;
      lib.el_resize(edit.el);
    }
    if (ready <= 0 || from[0].revents == 0) continue;
    ssize_t n = read(STDIN_FILENO, edit.bytes, most);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return false;
    if (n < 0) continue;
    edit.first = 0;
    edit.count = (size_t)n;
    return true;
  }
}

static int next_byte(size_t most) {
  if (edit.count == 0 && !fill(most)) return -1;
  edit.count--;
  return edit.bytes[edit.first++];
}

/* EL_GETCFN: one character of UTF-8. Invalid bytes are shown as a question mark. */
static int read_key(EditLine *el, wchar_t *c) {
  (void)el;
  int byte = next_byte(1);
  if (byte < 0) return interrupted ? -1 : 0;
  int more = byte < 0x80 ? 0 : byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : -1;
  wchar_t value = (wchar_t)(more == 3       ? byte & 7
                                : more == 2 ? byte & 15
                                : more == 1 ? byte & 31
                                            : byte);
  for (int i = 0; i < more; i++) {
    byte = next_byte(1);
    if (byte < 0) return interrupted ? -1 : 0;
    value = value << 6 | (byte & 63);
  }
  *c = more < 0 || value > 0x10ffff ? L'?' : value;
  return 1;
}

/* ---- calls of Lua ---- */

static bool call(const char *name, int nargs, int nresults) {
  lua_State *L = edit.L;
  lua_getfield(L, 2, name);
  lua_insert(L, -nargs - 1);
  if (lua_pcall(L, nargs, nresults, 0) == LUA_OK) return true;
  lua_pop(L, 1);
  return false;
}

static void push_line(lua_State *L, const LineInfo *line) {
  lua_pushlstring(L, line->buffer, (size_t)(line->lastchar - line->buffer));
}

/* ---- editor functions ---- */

/* el_cursor moves by characters. */
static int characters(const char *from, const char *to) {
  int n = 0;
  for (; from < to; from++) n += (*from & 0xc0) != 0x80;
  return n;
}

/* Enter: the input is taken when it is complete, else a line is added. */
static unsigned char enter(EditLine *el, int key) {
  (void)key;
  const LineInfo *line = lib.el_line(el);
  push_line(edit.L, line);
  bool complete = !call("complete", 1, 1) || lua_toboolean(edit.L, -1);
  lua_settop(edit.L, 2);
  line = lib.el_line(el);
  lib.el_cursor(el, characters(line->cursor, line->lastchar));
  if (complete) {
    lib.el_push(el, KEY_NEWLINE);
    return CC_REFRESH;
  }
  return lib.el_insertstr(el, "\n") == 0 ? CC_REFRESH : CC_ERROR;
}

/* The start of the line of the input that a position is in. */
static const char *line_start(const LineInfo *line, const char *at) {
  while (at > line->buffer && at[-1] != '\n') at--;
  return at;
}

static const char *line_end(const LineInfo *line, const char *at) {
  while (at < line->lastchar && *at != '\n') at++;
  return at;
}

/* The position in the line [from, to) that is as far to the right. */
static const char *same_column(const char *from, const char *to, int column) {
  while (from < to && column > 0) {
    from++;
    while (from < to && (*from & 0xc0) == 0x80) from++;
    column--;
  }
  return from;
}

static unsigned char up(EditLine *el, int key) {
  (void)key;
  const LineInfo *line = lib.el_line(el);
  const char *start = line_start(line, line->cursor);
  if (start == line->buffer) {
    lib.el_push(el, KEY_OLDER);
    return CC_NORM;
  }
  const char *above = line_start(line, start - 1);
  const char *to = same_column(above, start - 1, characters(start, line->cursor));
  lib.el_cursor(el, -characters(to, line->cursor));
  return CC_REFRESH;
}

/* Home and End: of the line of the input, not of all of it. */
static unsigned char home(EditLine *el, int key) {
  (void)key;
  const LineInfo *line = lib.el_line(el);
  lib.el_cursor(el, -characters(line_start(line, line->cursor), line->cursor));
  return CC_REFRESH;
}

static unsigned char end(EditLine *el, int key) {
  (void)key;
  const LineInfo *line = lib.el_line(el);
  lib.el_cursor(el, characters(line->cursor, line_end(line, line->cursor)));
  return CC_REFRESH;
}

static unsigned char down(EditLine *el, int key) {
  (void)key;
  const LineInfo *line = lib.el_line(el);
  const char *end = line_end(line, line->cursor);
  if (end == line->lastchar) {
    lib.el_push(el, KEY_NEWER);
    return CC_NORM;
  }
  int column = characters(line_start(line, line->cursor), line->cursor);
  const char *to = same_column(end + 1, line_end(line, end + 1), column);
  lib.el_cursor(el, characters(line->cursor, to));
  return CC_REFRESH;
}

/* Tab: Lua says how many characters before the cursor make room for which text, and what is shown below. */
static unsigned char tab(EditLine *el, int key) {
  (void)key;
  lua_State *L = edit.L;
  const LineInfo *line = lib.el_line(el);
  push_line(L, line);
  lua_pushinteger(L, line->cursor - line->buffer);
  unsigned char answer = CC_NORM;
  if (call("expand", 2, 3)) {
    int remove = (int)lua_tointeger(L, 3);
    const char *text = lua_tostring(L, 4), *list = lua_tostring(L, 5);
    if (remove > 0) lib.el_deletestr(el, remove);
    if (text && *text) lib.el_insertstr(el, text);
    answer = text ? CC_REFRESH : CC_REFRESH_BEEP;
    if (list) {
      fprintf(stdout, "\r\n%s\r\n", list);
      fflush(stdout);
      answer = CC_REDISPLAY;
    }
  }
  lua_settop(L, 2);
  return answer;
}

/* ESC [ 200 ~: what comes until ESC [ 201 ~ is a paste. */
static unsigned char paste(EditLine *el, int key) {
  static const char end[] = "\033[201~";
  enum { END = sizeof end - 1 };
  (void)key;
  char *text = NULL;
  size_t n = 0, cap = 0;
  for (int byte; (byte = next_byte(sizeof edit.bytes)) >= 0;) {
    if (n + 2 > cap) {
      char *grown = realloc(text, cap = cap ? 2 * cap : 4096);
      if (grown == NULL) break;
      text = grown;
    }
    text[n++] = byte == '\r' ? '\n' : (char)byte;
    if (n >= END && byte == '~' && memcmp(text + n - END, end, END) == 0) {
      n -= END;
      break;
    }
  }
  unsigned char answer = CC_ERROR;
  if (text && !interrupted) {
    text[n] = 0;
    lua_State *L = edit.L;
    lua_pushlstring(L, text, n); /* may raise for want of memory alone */
    lua_pushboolean(L, n > TYPED);
    if (call("pasted", 2, 1) && lua_isstring(L, -1))
      answer = lib.el_insertstr(el, lua_tostring(L, -1)) == 0 ? CC_REFRESH : CC_ERROR;
    lua_settop(L, 2);
  }
  free(text);
  return answer;
}

static char *prompt_text(EditLine *el) {
  (void)el;
  return (char *)edit.prompt;
}

/* ---- the editor ---- */

static const char *open_library(void) {
  void *library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return dlerror();
  const struct {
    const char *name;
    void *at;
  } symbol[] = {
#define SYMBOL(name) {#name, &lib.name},
      FUNCTIONS(SYMBOL)
#undef SYMBOL
  };
  for (size_t i = 0; i < sizeof symbol / sizeof *symbol; i++) {
    void *found = dlsym(library, symbol[i].name);
    if (found == NULL) return dlerror();
    memcpy(symbol[i].at, &found, sizeof found);
  }
  return NULL;
}

static void bind_keys(EditLine *el) {
  const struct {
    const char *name, *help;
    unsigned char (*function)(EditLine *, int);
  } own[] = {{"pt-enter", "take the input, or go on in a new line", enter},
             {"pt-up", "a line up, or older", up},
             {"pt-down", "a line down, or newer", down},
             {"pt-home", "to the line's start", home},
             {"pt-end", "to the line's end", end},
             {"pt-tab", "complete", tab},
             {"pt-paste", "paste", paste}};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    lib.el_set(el, EL_ADDFN, own[i].name, own[i].help, own[i].function);
  const char *const keys[][2] = {{"^M", "pt-enter"},
                                 {"^J", "pt-enter"},
                                 {"^I", "pt-tab"},
                                 {"\033[200~", "pt-paste"},
                                 {"\033[A", "pt-up"},
                                 {"\033OA", "pt-up"},
                                 {"^P", "pt-up"},
                                 {"\033[B", "pt-down"},
                                 {"\033OB", "pt-down"},
                                 {"^N", "pt-down"},
                                 {"^A", "pt-home"},
                                 {"^E", "pt-end"},
                                 {"^R", "em-inc-search-prev"},
                                 {"^S", "em-inc-search-next"},
                                 {"^W", "ed-delete-prev-word"},
                                 {KEY_NEWLINE, "ed-newline"},
                                 {KEY_OLDER, "ed-search-prev-history"},
                                 {KEY_NEWER, "ed-search-next-history"},
                                 {"\033[3~", "ed-delete-next-char"},
                                 {"\033[H", "pt-home"},
                                 {"\033[F", "pt-end"},
                                 {"\033[1~", "pt-home"},
                                 {"\033[4~", "pt-end"},
                                 {"\033[1;5D", "ed-prev-word"},
                                 {"\033[1;5C", "em-next-word"},
                                 {"\033b", "ed-prev-word"},
                                 {"\033f", "em-next-word"}};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    lib.el_set(el, EL_BIND, keys[i][0], keys[i][1], (char *)NULL);
}

/* Where the locale's characters are not UTF-8, libedit would drop all that is not ASCII. */
static void set_characters(void) {
  setlocale(LC_CTYPE, "");
  if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

static const char *start_editor(void) {
  const char *why = open_library();
  if (why) return why;
  if (pipe2(alarm_pipe, O_NONBLOCK | O_CLOEXEC) != 0) return "no pipe";
  set_characters();
  edit.el = lib.el_init("ptlua", stdin, stdout, stderr);
  edit.history = lib.history_init();
  if (edit.el == NULL || edit.history == NULL) return "libedit could not begin";
  HistEvent event;
  lib.history(edit.history, &event, H_SETSIZE, 10000);
  lib.history(edit.history, &event, H_SETUNIQUE, 1);
  lib.el_set(edit.el, EL_EDITOR, "emacs");
  lib.el_set(edit.el, EL_SIGNAL, 0);
  lib.el_set(edit.el, EL_PROMPT, prompt_text);
  lib.el_set(edit.el, EL_HIST, lib.history, edit.history);
  lib.el_set(edit.el, EL_GETCFN, read_key);
  bind_keys(edit.el);
  struct sigaction action = {.sa_handler = on_resize};
  sigemptyset(&action.sa_mask);
  sigaction(SIGWINCH, &action, NULL);
  return NULL;
}

/* editor.read(prompt, {complete =, expand =, pasted =}) -> the input; nil at its end, false after Ctrl-C; before the
   first: nil and the reason where there is no editor */
static int read_input(lua_State *L) {
  edit.prompt = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 8, NULL);
  edit.L = L;
  interrupted = 0;
  editing = 1;
  fputs("\033[?2004h", stdout);
  fflush(stdout);
  int n = 0;
  const char *line = lib.el_gets(edit.el, &n);
  editing = 0;
  fputs("\033[?2004l", stdout);
  if (interrupted) {
    lib.el_reset(edit.el);
    edit.count = 0;
    fputs("^C\n", stdout);
  }
  fflush(stdout);
  edit.L = NULL;
  if (interrupted) lua_pushboolean(L, false);
  else if (line == NULL || n <= 0) lua_pushnil(L);
  else lua_pushlstring(L, line, (size_t)n - (line[n - 1] == '\n'));
  return 1;
}

/* editor.remember(text): the newest entry of the history */
static int remember(lua_State *L) {
  HistEvent event;
  lib.history(edit.history, &event, H_ENTER, luaL_checkstring(L, 1));
  return 0;
}

/* editor.start() -> whether lines can be edited, and why not */
static int start(lua_State *L) {
  const char *why = edit.el ? NULL : start_editor();
  lua_pushboolean(L, why == NULL);
  lua_pushstring(L, why);
  return 2;
}
#else
static int start(lua_State *L) {
  lua_pushboolean(L, false);
  lua_pushliteral(L, "built without histedit.h (Debian: libedit-dev)");
  return 2;
}
#endif

int open_editor(lua_State *L) {
  static const luaL_Reg functions[] = {{"start", start},

#ifdef PT_HAVE_EDIT
                                       {"read", read_input},
                                       {"remember", remember},
#endif
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
