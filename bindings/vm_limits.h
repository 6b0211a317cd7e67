/* vm_limits.h: what a vm and its workers may use between them: memory, time, instructions, files. Reference-counted; held
   by the vm, its pools and their workers. */
#ifndef PTL_LIMITS_H
#define PTL_LIMITS_H

#include <lua.h>
#include <stdatomic.h>

#include "account.h"
#include "io/file.h"

typedef struct pl_limits {
  atomic_int refs;
  pt_vm_config config;  /* complete; sandbox as it holds */
  pti_account *account; /* or NULL: nothing is counted */
  pti_files files;
  _Atomic int64_t left; /* instructions of this call from the host */
  _Atomic double until; /* its deadline (pt_clock); 0: none */
} pl_limits;

/* NULL, with the error recorded, where config is at fault or there is no memory. */
pl_limits *pl_limits_new(const pt_vm_config *config);
pl_limits *pl_limits_retain(pl_limits *l);
void pl_limits_release(pl_limits *l);
/* Those of a state of ours (state.c); NULL in a stock Lua. */
pl_limits *pl_limits_of(lua_State *L);
/* PT_SANDBOX_NONE in a stock Lua. */
pt_sandbox pl_sandbox_of(lua_State *L);

/* Whether its coroutines have a hook that counts. */
bool pl_counts(const pl_limits *l);
/* A call from the host begins. */
void pl_limits_begin(pl_limits *l);
/* A little more, for what comes after an error. */
void pl_limits_extend(lua_State *L);
/* This thread works under them from now on; the caller puts pti_this back. */
void pl_limits_enter(const pl_limits *l);

/* Gives a coroutine the hook that it has while nothing is to be stopped: one that counts, or none. */
void pl_rest(lua_State *L);
/* Whether L's error came out of a hook. Then Lua leaves L's hooks off: a message handler, or what is to be closed in a
   coroutine that ended so, would run without limits, and is not to be called. */
bool pl_hooks_are_off(lua_State *L);
/* Counts so many instructions that no hook sees, and raises where the limits are reached or the thread is to stop. */
void pl_charge(lua_State *L, int64_t instructions);

/* The interrupt of this thread reaches the script as an error: it is taken back. One that a worker's task catches is not. */
void pl_take_interrupt(void);
/* pcall and xpcall that know of interrupts (vm_interrupt.c), into the globals. */
void pl_open_protected_calls(lua_State *L);

/* Opens the standard libraries that the sandbox leaves; once the module can be found, takes away what it does not. */
void pl_open_libraries(lua_State *L);
void pl_close_sandbox(lua_State *L);
/* Puts functions that raise in place of those of pt.core, on top of the stack, that a sandbox lacks. */
void pl_restrict_core(lua_State *L);
/* Gives one of our own scripts, a chunk on top of the stack, globals with a little more than a sandbox has. */
void pl_lend_environment(lua_State *L);
/* string.find, match, gmatch and gsub that stop at the limits, into the table on top of the stack. */
void pl_open_patterns(lua_State *L);

#endif
