/* main.c: the `ptlua` program, a host like any other: it uses ptlua.h alone. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ptlua.h"

enum { FAILED = 1, USAGE = 2, INTERRUPTED = 130 };

static const char help[] =
    "usage: ptlua [options] [script [arguments]]\n"
    "\n"
    "Runs a Lua script with `pt` (tensors, gradients, networks, threads) in it. Without a script:\n"
    "a prompt where the input is a terminal, else the input is the script.\n"
    "\n"
    "  -e CODE        run CODE first; may be repeated; `pt` is a global\n"
    "  -i             a prompt after the script\n"
    "  -              the script comes from the standard input\n"
    "  -v, --version  print the version\n"
    "  -h, --help     print this page\n"
    "  --             the next word is the script, whatever it looks like\n"
    "\n"
    "The script finds its arguments in `arg` and `...`. Ctrl-C stops it, a second one quits.\n"
    "Exit status: 0 success, 1 the script failed, 2 wrong usage, 130 interrupted.\n"
    "\n"
    "environment:\n"
    "  PT_NUM_THREADS   threads that tensor loops may use\n"
    "  PT_CPU           highest CPU level to use: base, avx2, avx512\n"
    "  PT_BACKEND_PATH  where the backends of other devices are looked for\n"
    "  PT_LUA_PATH      a folder whose pt/ replaces the Lua half of the library\n"
    "  LUA_PATH, LUA_CPATH  as for lua\n"
    "\n"
    "examples:\n"
    "  ptlua -e 'print(pt.randn(2, 3):softmax(-1))'\n"
    "  ptlua train.lua --epochs 5\n"
    "  ptlua -i model.lua\n";

typedef struct options {
  bool prompt, version, help;
  int script; /* where the script's name stands in argv; argc where there is none */
} options;

static pt_vm *vm;
static volatile sig_atomic_t signals; /* since the run began */

static void on_sigint(int number) {
  (void)number;
  if (signals++) _exit(INTERRUPTED);
  pt_vm_interrupt(vm);
}

static void on_error(void *ud, pt_status code, const char *message, const char *traceback) {
  (void)ud;
  (void)code;
  fflush(stdout);
  fprintf(stderr, "ptlua: %s%s%s\n", message, *traceback ? "\n" : "", traceback);
}

static int exit_status(pt_status code) {
  return code == PT_OK ? 0 : code == PT_EINTERRUPT ? INTERRUPTED : FAILED;
}

static int run_string(const char *code, const char *name) {
  signals = 0;
  return exit_status(pt_vm_run_string(vm, code, strlen(code), name));
}

/* One run for each input, so that each has its own Ctrl-C. */
static void prompt(void) {
  int status;
  do status = run_string("require('pt.repl')()", "=prompt");
  while (status != FAILED && !feof(stdin));
}

static int run_script(const char *path, int argc, char **argv) {
  signals = 0;
  if (path && access(path, R_OK) != 0) {
    fprintf(stderr, "ptlua: cannot open %s: %s\n", path, strerror(errno));
    return FAILED;
  }
  return exit_status(pt_vm_run_file(vm, path, argc, (const char *const *)argv));
}

/* -1 where the line is understood, else the exit status. Runs nothing yet. */
static int read_options(int argc, char **argv, options *o) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-' && argv[i][1] != 0; i++) {
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    if (strcmp(argv[i], "-e") == 0 && i + 1 < argc) {
      i++;
    } else if (strcmp(argv[i], "-i") == 0) {
      o->prompt = true;
    } else if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--version") == 0) {
      o->version = true;
    } else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
      o->help = true;
    } else {
      fprintf(stderr,
              strcmp(argv[i], "-e") ? "ptlua: unknown option %s\n" : "ptlua: %s needs code\n",
              argv[i]);
      fputs("try `ptlua --help`\n", stderr);
      return USAGE;
    }
  }
  o->script = i;
  return -1;
}

static int run(int argc, char **argv, const options *o) {
  bool any = false;
  int status = 0;
  for (int i = 1; i < o->script && status == 0; i++)
    if (strcmp(argv[i], "-e") == 0) {
      any = true;
      status = run_string(argv[++i], "=(command line)");
    }
  bool terminal = isatty(STDIN_FILENO);
  bool has_script = o->script < argc, input = !has_script && !any && !o->prompt && !terminal;
  if (status == 0 && input) status = run_script(NULL, 0, NULL);
  if (status == 0 && has_script) {
    const char *path = argv[o->script];
    status = run_script(strcmp(path, "-") == 0 ? NULL : path, argc - o->script - 1,
                        argv + o->script + 1);
  }
  if (o->prompt || (!has_script && !any && terminal)) prompt();
  return status;
}

int main(int argc, char **argv) {
  options o = {0};
  int status = read_options(argc, argv, &o);
  if (status >= 0) return status;
  if (o.help) fputs(help, stdout);
  if (o.version) printf("ptlua %s\n", pt_version());
  if (o.help || o.version) return 0;
  vm = pt_vm_open(&(pt_vm_config){.size = sizeof(pt_vm_config), .on_error = on_error});
  if (vm == NULL) {
    fprintf(stderr, "ptlua: %s\n", pt_error());
    return FAILED;
  }
  struct sigaction action = {.sa_handler = on_sigint}; /* no SA_RESTART: reading ends, too */
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  status = run(argc, argv, &o);
  signal(SIGINT, SIG_DFL);
  pt_vm_close(vm);
  return status;
}
