/* pack.h: a Lua value as bytes and parcels, for another state in another thread to read.

   A packet is a flat buffer and the tensors it refers to. Objects (tables, functions, tensors) are numbered in the
   order in which they are first met, and their contents follow in that order, so neither side recurses and cycles
   need nothing special. A job has two packets: `code`, the function with everything that hangs on it, which a worker
   may build once, and the arguments, task by task, which may refer to objects of the code. */
#ifndef PTL_PACK_H
#define PTL_PACK_H

#include <string.h>

#include "../binding.h"
#include "jobs/channel.h"

/* Makes room for n more bytes; raises. */
void pl_grow(lua_State *L, pti_packet *out, size_t n);
static inline void pl_put(lua_State *L, pti_packet *out, const void *data, size_t n) {
  if (n > out->cap - out->n) pl_grow(L, out, n);
  if (n) memcpy(out->data + out->n, data, n);
  out->n += n;
}
void pl_put_byte(lua_State *L, pti_packet *out, int byte);

/* ---- writing (pack.c) ---- */

/* Where objects get their numbers: `table` (a stack index) maps object -> number and number -> object. */
typedef struct pl_space {
  pti_packet *out;
  int table;
  lua_Integer count, done; /* objects met, objects whose contents are written */
} pl_space;

typedef struct pl_packer {
  lua_State *L;
  const char *op; /* for messages: "map" */
  char label[96]; /* what is being packed: "task 1 argument 2" */
  pl_space code;  /* out is NULL where there is no job: functions then go with the values */
  pl_space value;
  int pending; /* stack index of the list of globals still to be sent */
  lua_Integer npending;
  bool named, named_ours; /* the table of names is up to date, with the names of our modules */
  bool reply;             /* to the caller: its own classes go by number */
  bool private_writes;    /* functions may assign to captured locals */
  bool impure;  /* the code holds tables or tensors, or writes: every task needs its own */
  bool globals; /* the code reads or writes globals of the script */
} pl_packer;

/* Reserves stack slots and readies the packer; `code` may be NULL. */
void pl_pack_begin(pl_packer *p, lua_State *L, const char *op, pti_packet *code, pti_packet *value);
/* The function that a job runs, at index i: the first object of the code. */
void pl_pack_function(pl_packer *p, int i);
/* Values are packed one by one; those of one group (a task's arguments) share their objects. */
void pl_pack_group(pl_packer *p);
void pl_pack_value(pl_packer *p, int i, const char *label, ...) PTI_PRINTF(3, 4);
/* The same for a number, which needs no packer: most tasks and results are one. */
void pl_pack_number(lua_State *L, pti_packet *out, int i);
/* Writes what the values asked for since: globals of the script. */
void pl_pack_flush(pl_packer *p);

/* ---- reading (unpack.c) ---- */

typedef struct pl_reader {
  lua_State *L;
  const char *at, *end;
  const pti_packet *packet;
  int objects; /* stack index of the list of this packet's objects */
  int code;    /* the same of the job's code, or 0 */
  int env;     /* stack index of the functions' globals, or 0 for the state's own */
  bool job;    /* from the caller to a worker: classes in it are the caller's */
  lua_Integer count, done;
} pl_reader;

/* Pushes the list of objects of a job's code (or nil) and the function. `env` as in pl_reader. */
void pl_read_code(lua_State *L, const pti_packet *code, int env);
void pl_read_begin(pl_reader *r, lua_State *L, const pti_packet *values, int code, int env,
                   bool job);
void pl_read_group(pl_reader *r);
/* Pushes the next value. */
void pl_read_value(pl_reader *r);
/* One byte, written by pl_put_byte between values. */
int pl_read_byte(pl_reader *r);

/* ---- channels (channel.c): what crosses by reference ---- */

/* The channel at index i, or NULL. */
pti_channel *pl_channel_at(lua_State *L, int i);
void pl_push_channel(lua_State *L, pti_channel *channel);
void pl_open_channel(lua_State *L);

/* ---- names and classes (names.c) ---- */

/* For a table or function at index i that both sides can find in their modules: pushes its name, "pt.nn\1Linear". */
bool pl_name_of(lua_State *L, int i);
/* Brings the names up to date, those of our own modules only if `ours`: there are many. Once for each packing. */
void pl_refresh_names(lua_State *L, bool ours);
/* Whether the table or function at index i may stand in a module of ours. */
bool pl_may_be_ours(lua_State *L, int i);
/* Pushes `require`, as it was when this was first called. */
void pl_push_require(lua_State *L);
/* Pushes what a name stands for; raises where the module cannot be loaded. */
void pl_push_named(lua_State *L, const char *name, size_t n);
/* Whether the table at i is a class: known as one, or made to be a metatable. */
bool pl_is_class(lua_State *L, int i);
/* The class's id, given now if need be; *foreign: it came from the caller of this worker. */
lua_Integer pl_class_id(lua_State *L, int i, bool *foreign);
/* Pushes the class with this id, or nil; *home: it was born in this state. */
bool pl_push_class(lua_State *L, lua_Integer id, bool *home);
/* Notes that the table on top of the stack is the class with this id. */
void pl_note_class(lua_State *L, lua_Integer id, bool foreign);
/* Whether `name` is one of the globals that every state has. */
bool pl_standard_global(const char *name);

/* ---- functions (bytecode.c) ---- */

/* Pushes a list for the Lua function at index i: [1] its dump, then names of globals that it reads.
   fields: writes = the name of a captured local that it assigns to, sets = true where it assigns to globals. */
void pl_push_code(lua_State *L, int i);
/* Whether pl_push_code was called for the value at i before. */
bool pl_has_code(lua_State *L, int i);
/* Pushes upvalue u of the function at i; false, pushing nothing, where there is none. *env: it is where the function
   finds its globals: the state's own table, or another that stands for it under the name _ENV. */
bool pl_push_upvalue(lua_State *L, int i, int u, bool *env);

/* Tags of the stream. */
enum {
  PL_NIL,
  PL_FALSE,
  PL_TRUE,
  PL_BYTE, /* an integer of one byte */
  PL_INTEGER,
  PL_NUMBER,
  PL_STRING,
  PL_NAME,
  PL_DTYPE,
  PL_TENSOR,
  PL_CHANNEL,
  PL_TABLE,
  PL_FUNCTION,
  PL_CLASS,    /* its contents follow */
  PL_CLASSREF, /* the receiver has it */
  PL_REF,
  PL_CODEREF,
  PL_GLOBAL, /* a name and a value, between the objects of the code */
  PL_ENV,    /* an upvalue that is the table of globals */
  PL_JOIN,   /* an upvalue that another function holds too */
  PL_SIZES,  /* the class of x.shape, which every state has */
  PL_END
};

#endif
