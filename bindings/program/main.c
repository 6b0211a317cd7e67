/* main.c: the `ptlua` program: a Lua state, signals, the exit status. What it does with the command line is Lua,
   scripts/pt/command.lua. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { FAILED = 1, TIMED_OUT = 124, INTERRUPTED = 130 };

static pt_vm *vm;
static const char *program =
    "ptlua"; /* for messages; one that `ptlua build` made has its own name */
static volatile sig_atomic_t signals; /* SIGINTs since the run began */
static volatile sig_atomic_t at_prompt, timed_out;

/* ---- signals ---- */

static void start_timer(double seconds, double again) {
  struct itimerval t = {.it_value = {(time_t)seconds, (suseconds_t)(seconds * 1e6) % 1000000},
                        .it_interval = {(time_t)again, (suseconds_t)(again * 1e6) % 1000000}};
  setitimer(ITIMER_REAL, &t, NULL);
}

/* The second one ends a script at once. At the prompt it interrupts again and again until the input has ended, even
   if the input catches that. */
static void on_sigint(int number) {
  (void)number;
  if (interrupt_editor()) return;
  if (signals++ && !at_prompt) _exit(INTERRUPTED);
  pt_vm_interrupt(vm);
  if (signals > 1) start_timer(0.001, 0.001);
}

/* The time limit, or an input at the prompt that catches every interrupt. */
static void on_alarm(int number) {
  (void)number;
  if (!at_prompt && ++timed_out > 200) _exit(TIMED_OUT); /* 2 s later it still runs */
  pt_vm_interrupt(vm);
}

static void set_handler(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: reading ends, too */
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

/* ---- what runs ---- */

/* scripts/pt/command.lua has put all that is shown into the message. */
static void on_error(void *ud, pt_status code, const char *message, const char *traceback) {
  (void)ud;
  (void)traceback;
  fflush(stdout);
  if (at_prompt && code == PT_EINTERRUPT) fputc('\n', stderr);
  else fprintf(stderr, "%s: %s\n", program, message);
}

static int exit_status(pt_status code) {
  if (timed_out) return TIMED_OUT;
  return code == PT_OK ? 0 : code == PT_EINTERRUPT ? INTERRUPTED : FAILED;
}

static int run_string(const char *code) {
  signals = 0;
  return exit_status(pt_vm_run_string(vm, code, strlen(code), "=[pt]"));
}

static int read_flag(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "pt.command");
  lua_pushvalue(L, 1);
  lua_gettable(L, -2);
  return 1;
}

/* Whether command.lua has set what is handed over to it: "prompts". */
static bool flag(const char *name) {
  lua_State *L = pt_vm_lua(vm);
  lua_pushcfunction(L, read_flag);
  lua_pushstring(L, name);
  bool on = lua_pcall(L, 1, 1, 0) == LUA_OK && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

/* One run for each input, so that each has its own Ctrl-C. */
static void prompt(void) {
  at_prompt = 1;
  while (flag("prompts")) {
    int status = run_string("require('pt.command').prompt()");
    if (signals > 1) start_timer(0, 0);
    if (status == FAILED) break;
  }
  at_prompt = 0;
}

/* warn(): as lua's, off until -W or warn("@on"). */
static void show_warning(void *ud, const char *text, int more) {
  static bool on, within;
  (void)ud;
  if (!within && !more && *text == '@') {
    if (strcmp(text, "@on") == 0) on = true;
    if (strcmp(text, "@off") == 0) on = false;
    return;
  }
  if (on) fprintf(stderr, "%s%s%s", within ? "" : "Lua warning: ", text, more ? "" : "\n");
  within = more;
}

typedef struct command {
  int argc;
  char **argv;
  const options *o;
  const char *bundle; /* the path of a program that carries its script, or NULL */
} command;

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

/* Leaves {arg =, actions =, script =, ...} in the registry, for command.lua. */
static int hand_over(lua_State *L) {
  const command *c = lua_touserdata(L, 1);
  const options *o = c->o;
  int script = c->bundle ? 0 : o->script;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_editor);
  lua_setfield(L, -2, "pt.editor");
  lua_pushcfunction(L, open_system);
  lua_setfield(L, -2, "pt.program");
  lua_newtable(L);
  push_actions(L, c->argv, o);
  lua_setfield(L, -2, "actions");
  lua_createtable(L, c->argc - script, script + 1);
  for (int i = 0; i < c->argc; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, script < c->argc ? i - script : i);
  }
  lua_setfield(L, -2, "arg");
  set_string(L, "bundle", c->bundle);
  set_string(L, "script", script < c->argc ? c->argv[script] : NULL);
  set_string(L, "device", o->value[OPTION_device]);
  set_string(L, "seed", o->value[OPTION_seed]);
  set_string(L, "attach", o->value[OPTION_attach]);
  const struct {
    const char *name;
    bool on;
  } flag[] = {{"check", o->on[OPTION_check]},
              {"warnings", o->on[OPTION_warnings]},
              {"plain", o->on[OPTION_plain]},
              {"version", o->on[OPTION_version]},
              {"profile", o->on[OPTION_profile]},
              {"prompt", o->on[OPTION_prompt]},
              {"subcommand", script == 1 && c->argc > 1},
              {"terminal", isatty(STDIN_FILENO)}};
  for (size_t i = 0; i < sizeof flag / sizeof *flag; i++) {
    lua_pushboolean(L, flag[i].on);
    lua_setfield(L, -2, flag[i].name);
  }
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.command");
  return 0;
}

/* -E: as lua, but for the settings of the library. */
static void ignore_environment(void) {
  static const char *const names[] = {"LUA_INIT",     "LUA_INIT_5_4", "LUA_PATH",
                                      "LUA_PATH_5_4", "LUA_CPATH",    "LUA_CPATH_5_4"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
}

/* The program's own file, where `ptlua build` has put a script behind it. */
static const char *find_bundle(char *path, size_t size) {
  static const char magic[] = "ptlua-bundle-1\n";
  char end[sizeof magic - 1];
  ssize_t n = readlink("/proc/self/exe", path, size - 1);
  int fd = n > 0 ? open("/proc/self/exe", O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return NULL;
  path[n] = 0;
  off_t length = lseek(fd, 0, SEEK_END);
  bool found = length > (off_t)sizeof end &&
      pread(fd, end, sizeof end, length - (off_t)sizeof end) == (ssize_t)sizeof end &&
      memcmp(end, magic, sizeof end) == 0;
  close(fd);
  return found ? path : NULL;
}

static int run(command *c) {
  lua_State *L = pt_vm_lua(vm);
  lua_setwarnf(L, show_warning, NULL);
  lua_pushcfunction(L, hand_over);
  lua_pushlightuserdata(L, c);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "ptlua: %s\n", lua_tostring(L, -1));
    return FAILED;
  }
  int status = run_string("require('pt.command').run()");
  if (status != TIMED_OUT) prompt();
  return status;
}

/* print reports nothing: output that could not be written, to a full disk or a closed descriptor, fails the process. */
static void check_output(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return;
  fprintf(stderr, "%s: standard output: %s\n", program, errno ? strerror(errno) : "a write failed");
  _exit(FAILED);
}

int main(int argc, char **argv) {
  atexit(check_output);
  char path[4096];
  options o = {.script = argc};
  command c = {argc, argv, &o, find_bundle(path, sizeof path)};
  if (c.bundle) program = strrchr(path, '/') + 1;
  if (c.bundle == NULL && !read_options(argc, argv, &o)) return FAILED;
  if (o.on[OPTION_help]) return print_help(), 0;
  if (o.on[OPTION_nproc] && !is_rank()) return launch(argc, argv, o.value[OPTION_nproc]), FAILED;
  if (o.on[OPTION_plain]) ignore_environment();
  if (o.threads) pt_set_num_threads(o.threads);
  if (o.memory_limit) pt_set_memory_limit(o.memory_limit);
  vm = pt_vm_open(&(pt_vm_config){
      .size = sizeof(pt_vm_config), .memory_limit = o.memory_limit, .on_error = on_error});
  if (vm == NULL) {
    fprintf(stderr, "ptlua: %s\n", pt_error());
    return FAILED;
  }
  set_handler(SIGINT, on_sigint);
  set_handler(SIGALRM, on_alarm);
  if (o.time_limit > 0) start_timer(o.time_limit, 0.01);
  int status = run(&c);
  if (!timed_out) start_timer(0, 0); /* after the time limit the end, too, is timed */
  signal(SIGINT, SIG_DFL);
  pt_vm *last = vm;
  vm = NULL;
  pt_vm_close(last);
  if (status == INTERRUPTED) raise(SIGINT); /* a shell's loop ends, too */
  return status;
}
