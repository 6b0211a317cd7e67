/* binding.h: what the files of the Lua module share. The rules of this folder:

      - A Lua error (longjmp) must not cross an open pt_scope. So: make the Lua objects that results need, begin the
   scope, call the engine with pt_* and raw Lua reads alone, end the scope, and raise last (pl_raise).
   - Ids, dims and positions count from 1 in Lua and from 0 in C; lua_arg.c and lua_index.c are the only files
   that convert.
   - All errors go out through pl_raise, which adds the script's line. */
#ifndef PTL_BINDING_H
#define PTL_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "base.h"
#include "op.h"
#include "ptlua.h"

/* What a Lua object for a tensor holds. `magic` tells it from other userdata without a look at metatables, and from
   any other block of memory: a random number that no script can find out. */
typedef struct pl_box {
  uint64_t magic;
  pt_tensor *t; /* retained; NULL after close, and in a box that waits for its tensor */
} pl_box;

/* ---- boxes (lua_tensor.c) ---- */

/* The tensor at index i, or NULL where there is another value. */
pt_tensor *pl_tensor_at(lua_State *L, int i);
/* The same for arguments: raises "op: name must be a tensor, got ..." */
pt_tensor *pl_check_tensor(lua_State *L, int i, const char *op, const char *name);
/* Pushes an empty box, to be filled with pl_fill once the scope that owns the tensor is about to end. */
pl_box *pl_new_box(lua_State *L);
/* The same beside a box at index i, if not 0, which is the quickest way to what boxes have in common; a view takes no
   memory of its own, and so is no reason to look for garbage now. */
pl_box *pl_new_box_like(lua_State *L, int i, bool view);
/* Retains t and counts its bytes towards the next step of the collector. */
void pl_fill(lua_State *L, pl_box *box, pt_tensor *t);
/* Whether the state's allocator calls pl_drop_box for what was a userdata of a box's size (state.c): its boxes then need
   no finalizer. */
bool pl_drops_boxes(lua_State *L);
/* Tests: the n-th allocation of Lua's own objects from now and those after it, `count` in all, fail (0: none does). Lua
   collects garbage and tries again, so one alone is not seen. False in a state of another allocator. */
bool pl_fail_allocations(lua_State *L, int64_t n, int64_t count);
/* Drops the tensor, if a box it was. Called while Lua sweeps: nothing that it leads to may call Lua. */
void pl_drop_box(void *content);
/* Fills the box with what a scope made and ends the scope; raises where nothing was made. Returns 1. */
int pl_finish(lua_State *L, pl_box *box, pt_tensor *t, pt_scope scope);
/* Pushes the tensor that a number, boolean, nested list or tensor of one element (in a list) describes; dtype -1: as the
   elements call for. */
void pl_push_data(lua_State *L, int i, int dtype, const char *op);

/* ---- errors (lua_error.c) ---- */

/* Raises the engine's last error, with the line of the script in parentheses. Never returns. */
int pl_raise(lua_State *L);
/* Records an error and raises it. The text begins with the name of the function: "sum: ...". */
int pl_error(lua_State *L, pt_status code, const char *format, ...) PTI_PRINTF(3, 4);
/* Pushes "train.lua:12", the script's line, or "". */
void pl_push_line(lua_State *L);
/* Where anomalies are looked for: leaves the script's line for calls that are recorded. */
void pl_mark_line(lua_State *L);
/* What stands at index i, for a message: "a string", "nil", "3.5", "a tensor [2, 3]". Pushes the text. */
const char *pl_describe(lua_State *L, int i);
/* Pushes "; did you mean 'x'?" for the name of the table at index `names` (a list of strings, or a table with
   string keys) nearest to `name`, or "". */
const char *pl_suggest(lua_State *L, const char *name, int names);

/* ---- Lua functions that a walk calls (lua_hook.c) ---- */

/* Around calls of the engine that may walk a graph: functions of the graph run in L. */
void *pl_walk_begin(lua_State *L);
void pl_walk_end(void *was);
/* pl_raise for a walk that failed: an error of a Lua function comes out as it was raised. */
int pl_raise_walk(lua_State *L);
/* Pushes the traceback of the place where the error at that index was raised, if a walk passed it on. */
bool pl_push_walk_traceback(lua_State *L, int error);

/* ---- types of userdata (lua_arg.c) ---- */

/* Pushes the metatable of a new type. getmetatable gives false, so that scripts cannot replace its functions; drop, its
   finalizer, may be NULL. */
void pl_new_type(lua_State *L, const char *name, lua_CFunction drop);

/* ---- dtypes and devices (lua_arg.c) ---- */

/* Dtypes are userdata that print as "float32" and compare with ==; one per dtype and state. */
void pl_push_dtype(lua_State *L, pt_dtype dtype);
/* A dtype object or a name ("float32"); -1 where there is another value. */
int pl_dtype_at(lua_State *L, int i);
/* A list that prints as [2, 3]. */
void pl_push_sizes(lua_State *L, const int64_t *size, int nd);
/* Their metatable, which is that of x.shape. */
void pl_push_sizes_class(lua_State *L);

/* ---- arguments of an op (lua_arg.c) ---- */

typedef struct pl_args {
  const pt_op *op;
  const char *suffix; /* "_" in place, else "" */
  pt_arg arg[PTI_MAX_ARG];
  unsigned numbers; /* bit set of arguments that wait for pl_make_numbers */
  unsigned set;     /* of those that were given */
  bool out;         /* the options name `out`: results are written into it */
  int nints;
  int64_t ints[64]; /* of all lists of sizes and dims */
} pl_args;

/* What stands on the stack, from index 1 on, as the op takes it; raises. May push. */
void pl_read_args(lua_State *L, pl_args *a, const pt_op *op, const char *suffix);
/* The same where only tensors stand there, one for each parameter, as in most calls; else false. */
bool pl_read_tensors(lua_State *L, pl_args *a, const pt_op *op, const char *suffix);
/* Numbers given for tensors become tensors, within a scope; false on failure. */
bool pl_make_numbers(pl_args *a);
/* Whether a table with names for keys stands at i. */
bool pl_is_options(lua_State *L, int i);

/* ---- x[...] (lua_index.c) ---- */

/* x[key] for the tensor at 1 and the key at 2; pushes the result. */
int pl_get(lua_State *L);
/* x[key] = value, the value at 3. */
int pl_set(lua_State *L);

/* ---- parts of the module: each adds its functions to the table on top of the stack, `pt.core` ---- */
void pl_open_error(lua_State *L);  /* raise on_error receivers */
void pl_open_tensor(lua_State *L); /* Tensor metatable dtypes is_tensor */
void pl_open_data(lua_State *L);   /* tensor empty creator, x:tolist() */
void pl_open_op(lua_State *L);     /* fn ops functions, and every op as a method */
void pl_open_grad(lua_State *L);   /* x:backward() grad */
void pl_open_mode(lua_State *L);   /* grad, inference, autocast, anomaly */
void pl_open_hook(lua_State *L);   /* register_hook record checkpoint */
void pl_open_optim(lua_State *L);  /* sgd_step adam_step zero_grad */
void pl_open_io(lua_State *L);     /* files, images, folders */
void pl_open_blob(lua_State *L);   /* files as stretches of bytes, new files */
void pl_open_json(lua_State *L);   /* JSON */
void pl_open_system(lua_State *L); /* clock, threads, seeds, memory, terminal */
void pl_open_signal(lua_State *L); /* deferring Ctrl-C */
void pl_open_listen(lua_State *L); /* the socket of `ptlua --attach` */
void pl_open_http(lua_State *L);   /* what http.lua is made of */
void pl_open_device(lua_State *L); /* devices other than the CPU */
void pl_open_stream(lua_State *L); /* their streams and events */
void pl_open_worker(lua_State *L); /* what pool.lua is made of */
void pl_open_dlpack(lua_State *L); /* to_dlpack from_dlpack */
void pl_open_comm(lua_State *L);   /* what distributed.lua is made of */
void pl_open_value(lua_State *L);  /* values as bytes */

/* ---- the scripts, packed into the library (build/gen/scripts.c, by scripts/tools/embed.lua) ---- */

typedef struct pl_script {
  const char *name; /* "pt.nn.module"; "pt" is scripts/pt/init.lua */
  const char *code; /* compiled; and gzipped, where less is stored than its size */
  size_t stored, size;
} pl_script;
extern const pl_script pl_scripts[]; /* ends with a NULL name */

/* ---- Lua states (host.c) ---- */

/* A state with the standard libraries and the module in package.loaded.pt, its chunks called "=[pt]/nn/module.lua";
   NULL with the engine's error recorded. Used by hosts and by the workers of a pool. */
struct pl_limits;
lua_State *pl_open_state(struct pl_limits *limits);
/* The same with a limit of its own (bytes; 0: none), but the module is loaded when something first asks for it: a worker
   starts in 0.1 ms. */
lua_State *pl_open_lazy_state(struct pl_limits *limits, size_t limit);
/* On what the state's objects are booked, or NULL. */
struct pti_account *pl_account_of(lua_State *L);
/* luaL_loadbufferx for text, looking at the limits meanwhile. */
int pl_load_text(lua_State *L, const char *source, size_t length, const char *name);
/* For lua_pcall: an error object as it is, or a string with the traceback kept in the registry. */
int pl_traceback(lua_State *L);

/* The vm that runs in this thread; NULL in a stock Lua. */
pt_vm *pl_current_vm(void);
/* From any thread: job(L) is done in the thread of the vm's script, between two instructions of what runs there, once.
   Without a vm, in the main coroutine of that state. */
typedef void (*pl_errand)(lua_State *L);
void pl_post(pt_vm *vm, lua_State *main, pl_errand job);

/* The module. `package.loaded.pt` and the scripts' searchers are set up by it. */
PT_API int luaopen_pt(lua_State *L);
/* Lets `require` and the global `pt` find the module in a state that does not have it yet. */
void pl_promise_module(lua_State *L);
/* Loads the module where that is still to be done: before C makes an object of ours. */
void pl_need_module(lua_State *L);

#endif
