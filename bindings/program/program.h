/* program.h: what the files of the `ptlua` program share. It is a host like any other: it sees ptlua.h and Lua's own
   headers, nothing else of the project. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>

#include "ptlua.h"

/* ---- options.c ---- */

#define OPTION(name, letter, word, argument, help) OPTION_##name,
enum option_id {
#include "options.def"
  OPTIONS
};
#undef OPTION

/* The command line. What has to be known before there is a Lua state, and where the rest is. */
typedef struct options {
  bool on[OPTIONS];
  const char *value[OPTIONS]; /* the last one given */
  int script;                 /* where the script's name stands in argv; argc where there is none */
  size_t memory_limit;
  double time_limit;
  int threads; /* 0: as the engine chooses */
} options;

/* Reads the command line; false after a complaint on stderr. */
bool read_options(int argc, char **argv, options *o);
void print_help(void);
/* Pushes {{"code", text}, {"library", name}, ...}: what is to be done before the script, in order. */
void push_actions(lua_State *L, char **argv, const options *o);

/* ---- launch.c ---- */

/* Whether this process was started as a rank. */
bool is_rank(void);
/* Becomes mpirun with `nproc` ranks of this command line; returns, after a complaint, only where that fails. */
void launch(int argc, char **argv, const char *nproc);

/* ---- edit.c ---- */

/* package.preload["pt.editor"]: editing of lines on a terminal, by libedit where it is installed. */
int open_editor(lua_State *L);
/* For SIGINT: whether a line is being edited; then it is told, and nothing is to be interrupted. */
bool interrupt_editor(void);

/* ---- system.c ---- */

/* package.preload["pt.program"]: what scripts need of the system. */
int open_system(lua_State *L);

#endif
