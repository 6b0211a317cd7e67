/* lua_optim.c: optimizer steps for Lua: tables of parameters, state and options become what engine/optim.c takes.
   A step allocates one block, whatever the number of parameters, once the state exists. */
#include "binding.h"
#include "optim.h"
#include "tensor.h"

#include <stddef.h>

/* Places on the stack while a step runs; LISTS: one list for each state, then the numbers of the steps and other
   numbers. */
enum { PARAMS = 1, STATE, GROUP, MEMBERS, LISTS };

typedef struct stepper {
  const char *name;
  const char *const *slot; /* names of the states */
  int nslot;
  bool counts;               /* keeps numbers of steps, behind the states */
  const char *const *number; /* names of other numbers, behind those */
  int nnumber;
  const pti_rule *rule; /* which tells their first values */
} stepper;

static void check_table(lua_State *L, int i, const char *op, const char *name) {
  if (lua_type(L, i) != LUA_TTABLE)
    pl_error(L, PT_EARG, "%s: %s must be a table, got %s", op, name, pl_describe(L, i));
}

/* ---- options ---- */

static double number_at_top(lua_State *L, const char *op, const char *key) {
  if (lua_type(L, -1) != LUA_TNUMBER)
    pl_error(L, PT_EARG, "%s: %s must be a number, got %s", op, key, pl_describe(L, -1));
  double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}
static double number_of(lua_State *L, const char *op, const char *key) {
  lua_getfield(L, GROUP, key);
  return number_at_top(L, op, key);
}
static bool flag_of(lua_State *L, const char *key) {
  lua_getfield(L, GROUP, key);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* A list of two numbers. */
static void read_pair(lua_State *L, const char *op, const char *key, double *first,
                      double *second) {
  lua_getfield(L, GROUP, key);
  check_table(L, -1, op, key);
  lua_rawgeti(L, -1, 1);
  *first = number_at_top(L, op, key);
  lua_rawgeti(L, -1, 2);
  *second = number_at_top(L, op, key);
  lua_pop(L, 1);
}

/* ---- state ---- */

/* Pushes the list state[slot], made where there is none. */
static void push_list(lua_State *L, const char *op, const char *slot) {
  lua_pushstring(L, slot);
  int type = lua_rawget(L, STATE);
  if (type == LUA_TTABLE) return;
  if (type != LUA_TNIL)
    pl_error(L, PT_EARG, "%s: the state %s must be a list, got %s", op, slot, pl_describe(L, -1));
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushstring(L, slot);
  lua_pushvalue(L, -2);
  lua_rawset(L, STATE);
}

/* A box without a tensor: it waits for the step, was left by a step that failed, or was closed. */
static bool is_empty(lua_State *L, int i) {
  return pl_tensor_at(L, i) == NULL && lua_type(L, i) == LUA_TUSERDATA &&
      lua_rawlen(L, i) == sizeof(pl_box);
}

/* Makes sure that there is a box (empty where the step will make the tensor) and a number for parameter i. */
static void prepare_state(lua_State *L, const stepper *s, int i) {
  for (int k = 0; k < s->nslot; k++) {
    if (lua_rawgeti(L, LISTS + k, i) == LUA_TNIL) {
      pl_new_box(L);
      lua_rawseti(L, LISTS + k, i);
    } else if (pl_tensor_at(L, -1) == NULL && !is_empty(L, -1)) {
      pl_error(L, PT_EARG, "%s: %s of parameter %d must be a tensor, got %s", s->name, s->slot[k],
               i, pl_describe(L, -1));
    }
    lua_pop(L, 1);
  }
  if (!s->counts) return;
  for (int k = 0; k <= s->nnumber; k++) {
    int list = LISTS + s->nslot + k, type = lua_rawgeti(L, list, i);
    if (type == LUA_TNIL) {
      if (k == 0) lua_pushinteger(L, 0);
      else lua_pushnumber(L, pti_rule_number(s->rule, k - 1));
      lua_rawseti(L, list, i);
    } else if (type != LUA_TNUMBER) {
      pl_error(L, PT_EARG, "%s: the %s of parameter %d must be a number, got %s", s->name,
               k ? s->number[k - 1] : "step", i, pl_describe(L, -1));
    }
    lua_pop(L, 1);
  }
}

/* Checks the arguments and lays out the stack; returns the block of members, NULL where there are none. */
static pti_member *prepare(lua_State *L, const stepper *s, int *n) {
  *n = (int)lua_rawlen(L, PARAMS);
  pti_member *m = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof *m, 0);
  for (int k = 0; k < s->nslot; k++) push_list(L, s->name, s->slot[k]);
  if (s->counts) push_list(L, s->name, "step");
  for (int k = 0; k < s->nnumber; k++) push_list(L, s->name, s->number[k]);
  for (int i = 1; i <= *n; i++) {
    lua_rawgeti(L, PARAMS, i);
    const pt_tensor *p = pl_tensor_at(L, -1);
    if (p == NULL)
      pl_error(L, PT_EARG, "%s: parameter %d must be a tensor, got %s", s->name, i,
               pl_describe(L, -1));
    bool idle = p->grad == NULL;
    lua_pop(L, 1);
    if (!idle) prepare_state(L, s, i);
  }
  return m;
}

/* Raw reads alone from here on. */
static void gather(lua_State *L, const stepper *s, pti_member *m, int n) {
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, PARAMS, i + 1);
    m[i] = (pti_member){.p = pl_tensor_at(L, -1)};
    lua_pop(L, 1);
    for (int k = 0; k < s->nslot; k++) {
      lua_rawgeti(L, LISTS + k, i + 1);
      m[i].s[k] = pl_tensor_at(L, -1);
      lua_pop(L, 1);
    }
    if (!s->counts) continue;
    lua_rawgeti(L, LISTS + s->nslot, i + 1);
    m[i].step = lua_tonumber(L, -1) + 1;
    lua_pop(L, 1);
    for (int k = 0; k < s->nnumber; k++) {
      lua_rawgeti(L, LISTS + s->nslot + 1 + k, i + 1);
      m[i].number[k] = lua_tonumber(L, -1);
      lua_pop(L, 1);
    }
  }
}

/* Fills the empty boxes with what the step made, or takes them away again after a failure. */
static void settle(lua_State *L, const stepper *s, const pti_member *m, int n, bool ok) {
  for (int i = 0; i < n; i++) {
    if (m[i].p == NULL || m[i].p->grad == NULL) continue;
    for (int k = 0; k < s->nslot; k++) {
      lua_rawgeti(L, LISTS + k, i + 1);
      bool empty = is_empty(L, -1);
      if (ok && empty) pl_fill(L, lua_touserdata(L, -1), m[i].s[k]);
      lua_pop(L, 1);
      if (ok || !empty) continue;
      lua_pushnil(L);
      lua_rawseti(L, LISTS + k, i + 1);
    }
    if (!ok || !s->counts) continue;
    lua_pushinteger(L, (lua_Integer)m[i].step);
    lua_rawseti(L, LISTS + s->nslot, i + 1);
    for (int k = 0; k < s->nnumber; k++) {
      lua_pushnumber(L, m[i].number[k]);
      lua_rawseti(L, LISTS + s->nslot + 1 + k, i + 1);
    }
  }
}

static int step(lua_State *L, const stepper *s, const pti_sgd *sgd, const pti_adam *adam) {
  int n;
  pti_member *m = prepare(L, s, &n);
  pt_scope scope = pt_scope_begin();
  gather(L, s, m, n);
  bool ok = sgd ? pti_sgd_step(m, n, sgd)
      : adam    ? pti_adam_step(m, n, adam)
                : pti_rule_step(m, n, s->rule);
  settle(L, s, m, n, ok);
  pt_scope_end(scope);
  return ok ? 0 : pl_raise(L);
}

static void check_step(lua_State *L, const char *op) {
  lua_settop(L, GROUP);
  check_table(L, PARAMS, op, "params");
  check_table(L, STATE, op, "state");
  check_table(L, GROUP, op, "group");
}

/* ---- functions ---- */

/* core.sgd_step(params, state, group) */
static int sgd_step(lua_State *L) {
  static const char *const slots[] = {"momentum_buffer"};
  static const char op[] = "SGD";
  check_step(L, op);
  pti_sgd h = {.lr = number_of(L, op, "lr"),
               .momentum = number_of(L, op, "momentum"),
               .dampening = number_of(L, op, "dampening"),
               .weight_decay = number_of(L, op, "weight_decay"),
               .nesterov = flag_of(L, "nesterov"),
               .maximize = flag_of(L, "maximize")};
  return step(L, &(stepper){.name = op, .slot = slots, .nslot = pti_sgd_states(&h)}, &h, NULL);
}

/* core.adam_step(params, state, group) */
static int adam_step(lua_State *L) {
  static const char *const slots[] = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  check_step(L, "Adam");
  bool decoupled = flag_of(L, "decoupled_weight_decay");
  const char *op = decoupled ? "AdamW" : "Adam";
  pti_adam h = {.lr = number_of(L, op, "lr"),
                .eps = number_of(L, op, "eps"),
                .weight_decay = number_of(L, op, "weight_decay"),
                .amsgrad = flag_of(L, "amsgrad"),
                .decoupled = decoupled,
                .maximize = flag_of(L, "maximize")};
  read_pair(L, op, "betas", &h.beta1, &h.beta2);
  stepper s = {.name = op, .slot = slots, .nslot = pti_adam_states(&h), .counts = true};
  return step(L, &s, NULL, &h);
}

/* The options of a rule that are numbers; those whose names a group does not have stay 0. */
static const struct {
  const char *name;
  size_t place;
} rule_option[] = {
    {"lr", offsetof(pti_rule, lr)},
    {"weight_decay", offsetof(pti_rule, weight_decay)},
    {"eps", offsetof(pti_rule, eps)},
    {"momentum", offsetof(pti_rule, momentum)},
    {"rho", offsetof(pti_rule, beta2)},
    {"lr_decay", offsetof(pti_rule, lr_decay)},
    {"initial_accumulator_value", offsetof(pti_rule, initial_accumulator_value)},
    {"momentum_decay", offsetof(pti_rule, momentum_decay)},
    {"lambd", offsetof(pti_rule, lambd)},
    {"alpha", offsetof(pti_rule, alpha)},
    {"t0", offsetof(pti_rule, t0)},
};

static bool has(lua_State *L, const char *key) {
  bool there = lua_getfield(L, GROUP, key) != LUA_TNIL;
  lua_pop(L, 1);
  return there;
}

/* core.rule_step(params, state, group); the upvalue says which rule. */
static int rule_step(lua_State *L) {
  pti_rule h = {.kind = (pti_rule_kind)lua_tointeger(L, lua_upvalueindex(1))};
  const char *op = pti_rules(&h).name;
  check_step(L, op);
  for (size_t i = 0; i < sizeof rule_option / sizeof *rule_option; i++) {
    const char *name = rule_option[i].name;
    if (has(L, name)) *(double *)((char *)&h + rule_option[i].place) = number_of(L, op, name);
  }
  if (h.kind == PTI_RMSPROP) h.beta2 = h.alpha;
  if (has(L, "betas")) read_pair(L, op, "betas", &h.beta1, &h.beta2);
  if (has(L, "etas")) read_pair(L, op, "etas", &h.shrink, &h.grow);
  if (has(L, "step_sizes")) read_pair(L, op, "step_sizes", &h.step_min, &h.step_max);
  h.centered = flag_of(L, "centered");
  h.maximize = flag_of(L, "maximize");
  h.decoupled = flag_of(L, "decoupled_weight_decay");
  pti_rule_info info = pti_rules(&h);
  stepper s = {.name = op, .slot = info.state, .counts = true, .number = info.number, .rule = &h};
  while (info.state[s.nslot]) s.nslot++;
  while (info.number[s.nnumber]) s.nnumber++;
  return step(L, &s, NULL, NULL);
}

/* core.zero_grad(params, set_to_none) */
static int zero_grad(lua_State *L) {
  check_table(L, 1, "zero_grad", "params");
  bool clear = lua_toboolean(L, 2), ok = true;
  int n = (int)lua_rawlen(L, 1);
  for (int i = 1; ok && i <= n; i++) {
    lua_rawgeti(L, 1, i);
    pt_tensor *p = pl_tensor_at(L, -1);
    if (p == NULL)
      pl_error(L, PT_EARG, "zero_grad: parameter %d must be a tensor, got %s", i,
               pl_describe(L, -1));
    pt_scope scope = pt_scope_begin();
    ok = clear ? pt_set_grad(p, NULL) : pti_zero_grad(p);
    pt_scope_end(scope);
    lua_pop(L, 1);
  }
  return ok ? 0 : pl_raise(L);
}

void pl_open_optim(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"sgd_step", sgd_step}, {"adam_step", adam_step}, {"zero_grad", zero_grad}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_newtable(L); /* core.rules: steps by the optimizer's name */
  for (int kind = PTI_RMSPROP; kind <= PTI_LION; kind++) {
    lua_pushinteger(L, kind);
    lua_pushcclosure(L, rule_step, 1);
    lua_setfield(L, -2, pti_rules(&(pti_rule){.kind = (pti_rule_kind)kind}).name);
  }
  lua_setfield(L, -2, "rules");
}
