/* host.h: what the files of pt_vm_* share: the vm, and how work is done in it. */
#ifndef PTL_HOST_H
#define PTL_HOST_H

#include <stdatomic.h>

#include <lua.h>

#include "binding.h"
#include "rng.h"
#include "vm_limits.h"

/* A value of a vm that the host holds; its registry keeps it alive. Those of a vm are linked: they end with it. */
struct pt_value {
  pt_vm *vm; /* NULL once it is closed */
  int ref;
  pt_value *before, *after;
};

/* A line of a script. */
typedef struct pl_place {
  char file[LUA_IDSIZE];
  int line;
  double until; /* when it no longer matters */
} pl_place;

struct pt_vm {
  lua_State *L;
  _Atomic(lua_State *) running; /* the coroutine that runs; NULL while none does */
  atomic_int held;              /* taken while `running` changes or is used from outside */
  _Atomic(const void *) thread; /* the thread that is inside: the address of its `current` */
  _Atomic int interrupt;
  int stopped;     /* interrupts of this run that were raised */
  double raised;   /* when one was that nobody has caught yet, or 0 */
  pl_place caught; /* where the last one was */
  _Atomic(pl_errand) posted;
  pl_limits *limits;
  pti_generator generator;        /* its random numbers, whatever thread it runs in */
  pt_dtype dtype;                 /* its default */
  char *message, *traceback, *at; /* of the last failure, or NULL */
  pt_value *error;                /* what was raised */
  bool failed;                    /* the last run did */
  pt_value *values;
  struct pl_task *task; /* what pt_vm_step goes on with, or NULL */
};

/* Asked for, raised or caught: they are over. */
void pl_forget_interrupts(pt_vm *vm);
/* The interrupt that was caught last ended all that it was meant to end: the same line may protect a call again. */
void pl_end_interrupt(void);
/* Of a function that catches errors: before it calls what it protects, where it may raise, and after it has caught one. */
void pl_before_catching(lua_State *L);
void pl_caught(lua_State *L);
/* L runs from now on (NULL: nothing does); returns what did. */
lua_State *pl_switch(pt_vm *vm, lua_State *L);
/* Does job(L), with `arg` at 1, in the vm: limits, interrupts, errors are taken care of. */
pt_status pl_run(pt_vm *vm, lua_CFunction job, void *arg);
/* "a.b.c": pushes the value of field a of what is on top of the stack (instead of it), its field b, the field c of that;
   "[3]" or "a[3]" is an element. Raises where something on the way cannot be indexed. */
void pl_push_path(lua_State *L, const char *op, const char *path);
/* Takes the key on top and the table below it, and pushes table[key], a new table where it is nil. */
void pl_enter_table(lua_State *L);
/* Pushes what a letter of a format says, from ap; the value of a letter at i of the stack goes to ap. */
void pl_push_argument(lua_State *L, const char *op, char kind, va_list *ap);
bool pl_read_result(lua_State *L, pt_vm *vm, const char *op, int i, char kind, va_list *ap);
/* "a number", for messages. */
const char *pl_kind_name(char kind);
/* A handle of the value on top of the stack, which it pops; raises where there is no memory. */
pt_value *pl_new_value(lua_State *L, pt_vm *vm);
void pl_push_value(lua_State *L, const pt_value *v);
void pl_free_task(pt_vm *vm);

#endif
