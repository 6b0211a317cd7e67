/* lua_index.c: x[key] and x[key] = value. A number selects along dim 1; a tensor gathers ids or masks; a table goes dim by
   dim: a number selects, {} or pt.all keeps the dim, {from, to, step} slices, "newaxis" inserts one, "..." stands for
   the dims between, a tensor gathers or masks. Numbers and slices make views; where tensors are among the entries,
   op `index` (or `index_put`) follows. */
#include <string.h>

#include "binding.h"
#include "ptlua_ids.h"
#include "tensor.h"

enum kind { SELECT, SLICE, KEEP, INSERT, FILL, GATHER };

typedef struct entry {
  enum kind kind;
  int64_t start, stop, step; /* 0-based or negative, as the engine counts */
  pt_tensor *id;
} entry;

enum { MOST = 2 * PT_MAX_DIM }; /* entries of a key */

typedef struct key {
  int n;
  bool gathers;
  entry e[MOST];
} key;

/* ---- reading: all that can raise ---- */

static int bad_entry(lua_State *L, int number, int i) {
  return pl_error(
      L, PT_EARG,
      "index: entry %d must be a number, a range {from, to, step}, a tensor of ids or a "
      "mask, {}, pt.newaxis or pt.ellipsis, got %s",
      number, pl_describe(L, i));
}

/* An id as the engine counts it. */
static int64_t position(lua_State *L, int number, int i) {
  int whole = 0;
  lua_Integer at = lua_type(L, i) == LUA_TNUMBER ? lua_tointegerx(L, i, &whole) : 0;
  if (!whole)
    pl_error(L, PT_EINDEX, "index: entry %d holds %s, not an integer", number, pl_describe(L, i));
  if (at == 0)
    pl_error(L, PT_EINDEX, "index: entry %d is 0; positions count from 1, or from -1 for the last",
             number);
  return at > 0 ? at - 1 : at;
}

/* {}, {from}, {from, to}, {from, to, step} at stack index i. */
static void read_range(lua_State *L, entry *e, int number, int i) {
  size_t n = lua_rawlen(L, i);
  if (n > 3 || (n == 0 && lua_getmetatable(L, i))) bad_entry(L, number, i);
  *e = (entry){.kind = n ? SLICE : KEEP, .stop = -1, .step = 1};
  if (n == 0) return;
  lua_rawgeti(L, i, 1);
  e->start = position(L, number, -1);
  if (n > 1) {
    lua_rawgeti(L, i, 2);
    bool none = lua_isinteger(L, -1) && lua_tointeger(L, -1) == 0; /* to the one before the first */
    e->stop = none ? PTI_BEFORE_FIRST : position(L, number, -1);
  }
  if (n > 2) {
    lua_rawgeti(L, i, 3);
    int whole;
    e->step = lua_tointegerx(L, -1, &whole);
    if (!whole || e->step == 0 || e->step < -INT32_MAX)
      pl_error(L, PT_EARG, "index: the step of entry %d must be an integer, not 0, got %s", number,
               pl_describe(L, -1));
  }
  lua_pop(L, (int)n);
}

static void read_entry(lua_State *L, key *k, int i) {
  int number = k->n + 1;
  if (k->n == MOST) pl_error(L, PT_EINDEX, "index: more than %d entries", MOST);
  entry *e = &k->e[k->n++];
  *e = (entry){.step = 1};
  switch (lua_type(L, i)) {
  case LUA_TNUMBER: e->kind = SELECT, e->start = position(L, number, i); return;
  case LUA_TTABLE: read_range(L, e, number, i); return;
  case LUA_TFUNCTION: e->kind = KEEP; return; /* pt.all, which is also an op */
  case LUA_TSTRING:
    if (strcmp(lua_tostring(L, i), "newaxis") == 0) e->kind = INSERT;
    else if (strcmp(lua_tostring(L, i), "...") == 0) e->kind = FILL;
    else bad_entry(L, number, i);
    return;
  default:
    if ((e->id = pl_tensor_at(L, i)) == NULL) bad_entry(L, number, i);
    e->kind = GATHER;
    k->gathers = true;
  }
}

/* How many dims of x an entry takes. */
static int dims_of(const entry *e) {
  if (e->kind == INSERT || e->kind == FILL) return 0;
  return e->kind == GATHER && e->id->dtype == PT_BOOL ? e->id->nd : 1;
}

/* The key at index 2. `...` becomes as many {} as are missing. */
static void read_key(lua_State *L, key *k, const pt_tensor *x) {
  k->n = 0;
  k->gathers = false;
  if (lua_type(L, 2) == LUA_TTABLE) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, 2, i);
      read_entry(L, k, lua_gettop(L));
      lua_pop(L, 1);
    }
  } else {
    read_entry(L, k, 2);
  }
  int dims = 0, fill = -1;
  for (int i = 0; i < k->n; i++) {
    dims += dims_of(&k->e[i]);
    if (k->e[i].kind != FILL) continue;
    if (fill >= 0) pl_error(L, PT_EINDEX, "index: pt.ellipsis stands there twice");
    fill = i;
  }
  if (dims > x->nd)
    pl_error(L, PT_EINDEX, "index: %d dims are indexed, but x [%s] has %d", dims, pti_shape_text(x),
             x->nd);
  if (fill < 0) return;
  int more = x->nd - dims - 1; /* entries to make room for */
  if (k->n + more > MOST) pl_error(L, PT_EINDEX, "index: more than %d entries", MOST);
  memmove(k->e + fill + 1 + more, k->e + fill + 1, (size_t)(k->n - fill - 1) * sizeof *k->e);
  for (int i = 0; i <= more; i++) k->e[fill + i] = (entry){.kind = KEEP};
  k->n += more;
}

/* ---- views ---- */

/* To the script, an error of select or slice is one of indexing. */
static void rename_error(void) {
  const char *rest = strstr(pt_error(), ": ");
  char text[512];
  if (rest == NULL ||
      (strncmp(pt_error(), "select", 6) && strncmp(pt_error(), "slice", 5) &&
       strncmp(pt_error(), "index", 5) && strncmp(pt_error(), "copy", 4)))
    return;
  size_t n = strlen(rest);
  if (n >= sizeof text) return;
  memcpy(text, rest, n + 1);
  pti_fail(pt_error_code(), "index%s", text);
}

/* From e->start down to e->stop: a slice of what lies between, flipped, which takes a copy. */
static pt_tensor *backwards(pt_tensor *x, int d, const entry *e) {
  if (d >= x->nd || e->stop == PTI_BEFORE_FIRST) return pt_slice(x, d, 0, PTI_BEFORE_FIRST, 1);
  int64_t n = x->size[d], step = -e->step, high = e->start < 0 ? e->start + n : e->start;
  int64_t low = e->stop < 0 ? e->stop + n : e->stop;
  high = high < n ? high : n - 1; /* what lies beyond the ends is cut off */
  low = low > 0 ? low : 0;
  low = high < low ? high + 1 : high - (high - low) / step * step;
  pt_tensor *y = pt_slice(x, d, low, high < low ? PTI_BEFORE_FIRST : high, step);
  if (y == NULL) return NULL;
  int64_t count = y->size[d];
  pt_tensor *id = pt_sequence(count, (double)(count - 1 + pt_index_base()), -1, PT_I64, pti_dev(x));
  return pt_index_select(y, d, id);
}

/* The view that numbers, slices and new dims make; what tensors ask for goes to id[d], for each dim d of the view. */
static pt_tensor *view_of(pt_tensor *x, const key *k, pt_tensor **id, int *nid) {
  int d = 0; /* of the view */
  *nid = 0;
  for (int i = 0; i < k->n && x; i++) {
    const entry *e = &k->e[i];
    if (e->kind == SELECT) {
      x = pt_select(x, d, e->start);
      continue;
    }
    if (e->kind == SLICE)
      x = e->step < 0 ? backwards(x, d, e) : pt_slice(x, d, e->start, e->stop, e->step);
    if (e->kind == INSERT) x = pt_unsqueeze(x, d);
    id[(*nid)++] = e->kind == GATHER ? e->id : NULL; /* a mask stands for all its dims */
    d += e->kind == GATHER ? dims_of(e) : 1;
  }
  return x;
}

/* ipairs asks for the entry behind the last, where a list has nil. */
static void refuse_ipairs(lua_State *L, const pt_tensor *x) {
  lua_Debug ar;
  if (!lua_isinteger(L, 2) || x->nd == 0 || lua_tointeger(L, 2) != x->size[0] + 1) return;
  if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "nS", &ar) || *ar.what != 'C') return;
  if (strcmp(ar.namewhat, "for iterator") == 0)
    pl_error(L, PT_EINDEX,
             "index: x [%s] has no row %lld: ipairs cannot end on a tensor; use x:rows()",
             pti_shape_text(x), (long long)lua_tointeger(L, 2));
}

int pl_get(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "index", "x"), *id[MOST], *y;
  key k;
  int nid;
  read_key(L, &k, x);
  refuse_ipairs(L, x);
  pl_box *box = pl_new_box(L);
  if (pti_this.anomaly) pl_mark_line(L);
  pt_scope scope = pt_scope_begin();
  y = view_of(x, &k, id, &nid);
  if (k.gathers) y = pt_index(y, id, nid);
  else if (y == x) y = pt_view(x, x->size, x->nd);
  if (y == NULL) rename_error();
  return pl_finish(L, box, y, scope);
}

/* ---- writing ---- */

/* What is written: a tensor, or what a list or number describes, in the dtype of x. */
static pt_tensor *read_value(lua_State *L, const pt_tensor *x) {
  pt_tensor *value = pl_tensor_at(L, 3);
  if (value) return value;
  int type = lua_type(L, 3);
  if (type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TTABLE)
    pl_error(L, PT_EARG, "index: the value must be a tensor, a number or a list, got %s",
             pl_describe(L, 3));
  pl_push_data(L, 3, x->dtype, "index");
  return pl_tensor_at(L, -1);
}

int pl_set(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "index", "x"), *id[MOST];
  key k;
  int nid;
  read_key(L, &k, x);
  for (int i = 0; i < k.n; i++) {
    if (k.e[i].kind == SLICE && k.e[i].step < 0)
      pl_error(L, PT_EARG, "index: entry %d goes backwards, which makes a copy: write to its flip",
               i + 1);
  }
  pt_tensor *value = read_value(L, x);
  if (pti_this.anomaly) pl_mark_line(L);
  pt_scope scope = pt_scope_begin();
  pt_tensor *part = view_of(x, &k, id, &nid);
  bool ok = part != NULL;
  if (ok && k.gathers) {
    pt_arg arg[] = {{.t = part, .given = true},
                    {.list = id, .n = nid, .given = true},
                    {.t = value, .given = true},
                    {.i = false}};
    ok = pti_call_inplace(pti_op_at(PTI_OP_index_put), arg) != NULL;
  } else if (ok) {
    pt_arg arg[] = {{.t = part, .given = true}, {.t = value, .given = true}, {.i = false}};
    ok = pti_call_inplace(pti_op_at(PTI_OP_copy), arg) != NULL;
  }
  if (!ok) rename_error();
  pt_scope_end(scope);
  return ok ? 0 : pl_raise(L);
}
