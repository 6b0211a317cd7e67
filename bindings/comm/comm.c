/* comm.c: what scripts/pt/distributed.lua is made of: a rank's end of a job, groups, and works on tensors. Tensors here
   are dense, and all on the CPU or all on the comm's device; the script sees to that.

   core.comm_open(backend, name, rank, size, timeout) -> comm
   core.comm_use_device(comm, plugin, device) -> device        collectives between devices, for the groups made from now on
   core.comm_device_can(group, x, op) -> bool                  whether they add up what x has; op nil: whether they move it
   core.comm_info(comm) -> rank, size, local rank, local size, threads
   core.comm_group(comm, ranks) -> group                       ranks count from 0, ascending
   core.comm_reduce(group, name, op, spread, root, library, x, out) -> work     x: a tensor, or one for each rank
   core.comm_exchange(group, name, ins, outs, gathers) -> work  a tensor, or false, for each rank; gathers (devices alone):
                                                               every rank gives one tensor, outs lie one after the other
   core.comm_broadcast(group, name, root, x) -> work
   core.comm_message(group, name, sends, peer, tag, x) -> work peer: a place in the group from 0; -1: any sender
   core.work_wait(work, seconds) -> over, peer
   core.work_times(work) -> when the transport began and ended it, of one that is over
   core.comm_share_cores(comm)                                 threads: this rank's share, unless they were chosen
   core.comm_fail(comm, why), core.comm_close(comm, failed), core.comm_timeout(comm, seconds)
   core.comm_ops: the set of ops */
#include <math.h>
#include <string.h>

#include "../binding.h"
#include "comm/comm.h"
#include "tensor.h"

static const char comm_type[] = "pt.core.comm", group_type[] = "pt.core.group",
                  work_type[] = "pt.core.work";

typedef struct comm_box {
  pti_comm *
      c; /* NULL once it is closed. Uservalue 1: works that may not be over, which keep their tensors alive */
} comm_box;
typedef struct group_box {
  comm_box *home; /* uservalue 1 */
  const pti_group *g;
} group_box;
typedef struct work_box {
  comm_box *home; /* uservalue 1; uservalue 2: the tensors */
  pti_work *w;
} work_box;

static comm_box *check_comm(lua_State *L, int i) {
  comm_box *box = luaL_checkudata(L, i, comm_type);
  if (box->c == NULL) pl_error(L, PT_EARG, "the process group was destroyed");
  return box;
}
static group_box *check_group(lua_State *L, int i, const char *name) {
  group_box *box = luaL_checkudata(L, i, group_type);
  if (box->home->c == NULL) pl_error(L, PT_EARG, "%s: the process group was destroyed", name);
  return box;
}

/* ---- jobs ---- */

static int comm_open(lua_State *L) {
  const char *backend = luaL_checkstring(L, 1);
  pti_join join = {.name = luaL_checkstring(L, 2),
                   .rank = (int)luaL_checkinteger(L, 3),
                   .size = (int)luaL_checkinteger(L, 4),
                   .timeout = luaL_checknumber(L, 5)};
  comm_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  box->c = NULL;
  luaL_setmetatable(L, comm_type);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  if (!(box->c = pti_comm_open(backend, &join))) {
    pti_error_prefix("init_process_group");
    return pl_raise(L);
  }
  return 1;
}

static int comm_close(lua_State *L) {
  comm_box *box = luaL_checkudata(L, 1, comm_type);
  pti_comm_close(box->c, lua_toboolean(L, 2));
  box->c = NULL;
  return 0;
}

/* At the end of a state whose run failed, the others are not waited for. */
static int comm_gc(lua_State *L) {
  comm_box *box = luaL_checkudata(L, 1, comm_type);
  lua_getfield(L, LUA_REGISTRYINDEX, "pt.failed");
  pti_comm_close(box->c, lua_toboolean(L, -1));
  box->c = NULL;
  return 0;
}

static int comm_fail(lua_State *L) {
  comm_box *box = luaL_checkudata(L, 1, comm_type);
  const char *why = luaL_checkstring(L, 2);
  if (box->c) pti_comm_tell_failure(box->c, why);
  return 0;
}

static int comm_info(lua_State *L) {
  const pti_comm *c = check_comm(L, 1)->c;
  int local_size, threads, local_rank = pti_comm_local(c, &local_size, &threads);
  lua_pushinteger(L, pti_comm_rank(c));
  lua_pushinteger(L, pti_comm_size(c));
  lua_pushinteger(L, local_rank);
  lua_pushinteger(L, local_size);
  lua_pushinteger(L, threads);
  return 5;
}

static int comm_use_device(lua_State *L) {
  comm_box *box = check_comm(L, 1);
  if (!pti_comm_use_device(box->c, luaL_checkstring(L, 2), luaL_checkstring(L, 3))) {
    pti_error_prefix("init_process_group");
    return pl_raise(L);
  }
  lua_pushstring(L, pt_device_name(pti_comm_device(box->c)));
  return 1;
}

static int comm_group(lua_State *L) {
  comm_box *home = check_comm(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  int n = (int)lua_rawlen(L, 2);
  int *rank = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *rank, 0);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, 2, i + 1);
    rank[i] = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  group_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (group_box){.home = home};
  luaL_setmetatable(L, group_type);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  if (!(box->g = pti_comm_group(home->c, rank, n))) return pl_raise(L);
  return 1;
}

static int comm_share_cores(lua_State *L) {
  pti_comm_share_cores(check_comm(L, 1)->c);
  return 0;
}

static int comm_timeout(lua_State *L) {
  pti_comm_set_timeout(check_comm(L, 1)->c, luaL_checknumber(L, 2));
  return 0;
}

/* ---- works ---- */

/* Works that ended without anybody waiting for them are let go. */
static void sweep(lua_State *L, int comm) {
  lua_getiuservalue(L, comm, 1);
  for (lua_pushnil(L); lua_next(L, -2);) {
    lua_pop(L, 1);
    const work_box *box = lua_touserdata(L, -1);
    if (box->w && !pti_work_over(box->w) &&
        (!box->w->device || pti_work_wait(box->home->c, box->w, 0) == 0))
      continue;
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
  lua_pop(L, 1);
}

/* Pushes a work with the group at 1, its name at 2, and the tensors in the table or tensor at `kept`. */
static work_box *new_work(lua_State *L, pti_work_kind kind, const group_box *group, int kept,
                          int more) {
  work_box *box = lua_newuserdatauv(L, sizeof *box, 2);
  *box = (work_box){.home = group->home};
  luaL_setmetatable(L, work_type);
  lua_getiuservalue(L, 1, 1);
  lua_setiuservalue(L, -2, 1);
  lua_createtable(L, 2, 0);
  for (int i = 0; i < 2; i++) {
    int from = i == 0 ? kept : more;
    if (from == 0) continue;
    lua_pushvalue(L, from);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setiuservalue(L, -2, 2);
  if (!(box->w = pti_work_new(lua_tostring(L, 2), group->g))) pl_raise(L);
  box->w->kind = kind;
  return box;
}

/* Starts the work on top of the stack. */
static int start(lua_State *L, work_box *box) {
  lua_getiuservalue(L, 1, 1);
  int comm = lua_gettop(L);
  sweep(L, comm);
  lua_getiuservalue(L, comm, 1);
  lua_pushvalue(L, comm - 1);
  lua_pushboolean(L, true);
  lua_rawset(L, -3);
  lua_settop(L, comm - 1);
  if (pti_work_start(box->home->c, box->w)) return 1;
  pti_work_free(box->w);
  box->w = NULL;
  return pl_raise(L);
}

/* The memory of the dense tensor at i, to be read or written by the work. */
static void *memory_of(lua_State *L, int i, bool write, const work_box *box, pt_tensor **out) {
  pt_tensor *x = pl_check_tensor(L, i, lua_tostring(L, 2), "x");
  int device = pti_dev(x);
  if (!pti_dense(x) ||
      (device != 0 && (device != pti_comm_device(box->home->c) || box->w->kind >= PTI_WORK_SEND)))
    pl_error(L, PT_EARG, "%s: x must be dense, and on the CPU or the group's device",
             lua_tostring(L, 2));
  box->w->device = device;
  if (write && !pti_writable(lua_tostring(L, 2), x)) pl_raise(L);
  *out = x;
  return pti_ptr(x);
}
static size_t bytes_of(const pt_tensor *x) { return (size_t)x->numel * pti_esize(x); }

static const char *const ops[] = {"sum", "avg", "min", "max", "prod", NULL}; /* pti_comm_op */

static int comm_device_can(lua_State *L) {
  const group_box *group = luaL_checkudata(L, 1, group_type);
  const pt_tensor *x = pl_check_tensor(L, 2, "comm_device_can", "x");
  const pti_comm *c = group->home->c;
  bool there = c && group->g->device && pti_dev(x) == pti_comm_device(c);
  if (there && !lua_isnoneornil(L, 3))
    there =
        pti_comm_device_can(c, (pt_dtype)x->dtype, (pti_comm_op)luaL_checkoption(L, 3, NULL, ops));
  lua_pushboolean(L, there);
  return 1;
}

static int comm_reduce(lua_State *L) {
  static const char *const spreads[] = {"all", "none", "root", NULL};
  const char *name = luaL_checkstring(L, 2);
  const group_box *group = check_group(L, 1, name);
  lua_settop(L, 8);
  work_box *box = new_work(L, PTI_WORK_REDUCE, group, 7, 8);
  pti_work *w = box->w;
  int n = group->g->n;
  w->op = (pti_comm_op)luaL_checkoption(L, 3, NULL, ops);
  w->spread = (pti_spread)luaL_checkoption(L, 4, NULL, spreads);
  w->peer = (int)luaL_optinteger(L, 5, 0);
  w->library = lua_toboolean(L, 6);
  pt_tensor *x, *out;
  if (lua_istable(L, 7)) {
    w->out = memory_of(L, 8, true, box, &out);
    w->dtype = (pt_dtype)out->dtype;
    w->count = out->numel;
    if (!pti_mul(w->count, n, &w->total)) return pl_error(L, PT_ESHAPE, "%s: too large", name);
    for (int r = 0; r < n; r++) {
      lua_rawgeti(L, 7, r + 1);
      w->in[r] = memory_of(L, lua_gettop(L), false, box, &x);
      if (x->numel != out->numel || x->dtype != out->dtype)
        return pl_error(L, PT_ESHAPE, "%s: tensor %d does not fit the output", name, r + 1);
      lua_pop(L, 1);
    }
    return start(L, box);
  }
  char *at = memory_of(L, 7, true, box, &x);
  w->dtype = (pt_dtype)x->dtype;
  w->total = x->numel;
  w->count = (x->numel + n - 1) / n;
  for (int r = 0; r < n; r++)
    w->in[r] = at + (size_t)pti_min64(r * w->count, x->numel) * pti_esize(x);
  w->out = w->in[group->g->me];
  return start(L, box);
}

static void read_pieces(lua_State *L, int i, int n, bool write, const work_box *box, void **at,
                        size_t *bytes) {
  pt_tensor *x;
  luaL_checktype(L, i, LUA_TTABLE);
  for (int r = 0; r < n; r++) {
    lua_rawgeti(L, i, r + 1);
    if (lua_toboolean(L, -1)) {
      at[r] = memory_of(L, lua_gettop(L), write, box, &x);
      bytes[r] = bytes_of(x);
    }
    lua_pop(L, 1);
  }
}

static int comm_exchange(lua_State *L) {
  const group_box *group = check_group(L, 1, luaL_checkstring(L, 2));
  lua_settop(L, 5);
  work_box *box = new_work(L, PTI_WORK_EXCHANGE, group, 3, 4);
  box->w->gathers = lua_toboolean(L, 5);
  read_pieces(L, 4, group->g->n, true, box, box->w->to, box->w->nto);
  read_pieces(L, 3, group->g->n, false, box, box->w->in, box->w->nin);
  return start(L, box);
}

static int comm_broadcast(lua_State *L) {
  const group_box *group = check_group(L, 1, luaL_checkstring(L, 2));
  lua_settop(L, 4);
  work_box *box = new_work(L, PTI_WORK_BROADCAST, group, 4, 0);
  pt_tensor *x;
  box->w->peer = (int)luaL_checkinteger(L, 3);
  box->w->in[0] = memory_of(L, 4, box->w->peer != group->g->me, box, &x);
  box->w->nin[0] = bytes_of(x);
  return start(L, box);
}

static int comm_message(lua_State *L) {
  const group_box *group = check_group(L, 1, luaL_checkstring(L, 2));
  bool sends = lua_toboolean(L, 3);
  lua_settop(L, 6);
  work_box *box = new_work(L, sends ? PTI_WORK_SEND : PTI_WORK_RECV, group, 6, 0);
  pt_tensor *x;
  box->w->peer = (int)luaL_checkinteger(L, 4);
  box->w->tag = (int)luaL_checkinteger(L, 5);
  box->w->in[0] = memory_of(L, 6, !sends, box, &x);
  box->w->nin[0] = bytes_of(x);
  return start(L, box);
}

static work_box *check_work(lua_State *L, int i) { return luaL_checkudata(L, i, work_type); }

static int work_wait(lua_State *L) {
  work_box *box = check_work(L, 1);
  double seconds = luaL_optnumber(L, 2, HUGE_VAL);
  if (box->w == NULL) return pl_error(L, PT_EARG, "wait: the work never began");
  int state;
  if (box->home->c == NULL) { /* closed meanwhile: all works are over */
    state = atomic_load(&box->w->state) == PTI_DONE ? 1 : -1;
    if (state < 0) pti_fail(box->w->code, "%s", box->w->error);
  } else {
    state = pti_work_wait(box->home->c, box->w, seconds);
  }
  if (state < 0) return pl_raise(L);
  lua_pushboolean(L, state);
  lua_pushinteger(L, box->w->peer);
  return 2;
}

static int work_times(lua_State *L) {
  const work_box *box = check_work(L, 1);
  if (box->w == NULL || !pti_work_over(box->w)) return 0;
  lua_pushnumber(L, box->w->started);
  lua_pushnumber(L, box->w->ended);
  return 2;
}

/* A work that runs is kept by the comm; where it is not over, the state ends, and with it the job. */
static int work_gc(lua_State *L) {
  work_box *box = check_work(L, 1);
  if (box->w == NULL) return 0;
  if (!pti_work_over(box->w)) {
    pti_comm_close(box->home->c, true);
    box->home->c = NULL;
  }
  pti_work_free(box->w);
  box->w = NULL;
  return 0;
}

/* ---- the module's part ---- */

void pl_open_comm(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"comm_open", comm_open},
      {"comm_info", comm_info},
      {"comm_group", comm_group},
      {"comm_use_device", comm_use_device},
      {"comm_device_can", comm_device_can},
      {"comm_reduce", comm_reduce},
      {"comm_exchange", comm_exchange},
      {"comm_broadcast", comm_broadcast},
      {"comm_message", comm_message},
      {"comm_fail", comm_fail},
      {"comm_close", comm_close},
      {"comm_timeout", comm_timeout},
      {"comm_share_cores", comm_share_cores},
      {"work_wait", work_wait},
      {"work_times", work_times},
      {NULL, NULL},
  };
  pl_new_type(L, comm_type, comm_gc);
  pl_new_type(L, group_type, NULL);
  pl_new_type(L, work_type, work_gc);
  lua_pop(L, 3);
  luaL_setfuncs(L, functions, 0);
  lua_newtable(L);
  for (int i = 0; ops[i]; i++) {
    lua_pushboolean(L, true);
    lua_setfield(L, -2, ops[i]);
  }
  lua_setfield(L, -2, "comm_ops");
  pl_open_value(L);
}
