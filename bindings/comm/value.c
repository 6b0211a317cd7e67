/* value.c: any value that may cross between threads (pool/pack.c) as a vector of bytes, to cross between processes. Both
   sides run the same program, and trust each other as far.

   core.value_pack(op, value) -> tensor of uint8;  core.value_unpack(tensor) -> value

   The bytes: how many there are of the packet, how many tensors, the packet, and for each tensor dtype, dims, sizes and
   elements. */
#include <stdlib.h>
#include <string.h>

#include "../binding.h"
#include "../pool/pack.h"
#include "tensor.h"

static const char packet_type[] = "pt.core.packet";

static pti_packet *new_packet(lua_State *L) {
  pti_packet *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = (pti_packet){0};
  luaL_setmetatable(L, packet_type);
  return p;
}
static int packet_gc(lua_State *L) {
  pti_packet *p = luaL_checkudata(L, 1, packet_type);
  pti_packet_free(p);
  *p = (pti_packet){0};
  return 0;
}

/* Appends bytes to `to`, or only counts them. */
static size_t put(char *to, size_t at, const void *data, size_t n) {
  if (to && n) memcpy(to + at, data, n);
  return at + n;
}

/* Writes all of it to `to`, or only counts the bytes; 0 on failure. */
static size_t write_all(const pti_packet *p, char *to) {
  int64_t head[] = {(int64_t)p->n, (int64_t)p->nparcel};
  size_t at = put(to, 0, head, sizeof head);
  at = put(to, at, p->data, p->n);
  for (size_t i = 0; i < p->nparcel; i++) {
    pt_tensor *x = pt_to_device(pt_contiguous(pt_unpack(p->parcel[i])), 0, false);
    if (x == NULL) return 0;
    int64_t about[2 + PT_MAX_DIM] = {x->dtype, x->nd};
    memcpy(about + 2, x->size, x->nd * sizeof *x->size);
    at = put(to, at, about, sizeof about);
    at = put(to, at, pti_ptr(x), (size_t)x->numel * pti_esize(x));
  }
  return at;
}

static int value_pack(lua_State *L) {
  const char *op = luaL_checkstring(L, 1);
  lua_settop(L, 2);
  pti_packet *p = new_packet(L);
  pl_packer packer;
  pl_pack_begin(&packer, L, op, NULL, p);
  pl_pack_value(&packer, 2, "the value");
  if (p->nchannel > 0) return pl_error(L, PT_EARG, "%s: a channel cannot leave the process", op);
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  int64_t n = (int64_t)write_all(p, NULL);
  pt_tensor *x = n ? pt_empty(&n, 1, PT_U8, 0) : NULL;
  if (x && write_all(p, pt_data_mut(x)) == 0) x = NULL;
  return pl_finish(L, box, x, scope);
}

/* ---- reading ---- */

typedef struct input {
  const char *at, *end;
} input;

static const void *get(input *in, size_t n) {
  if (n > (size_t)(in->end - in->at)) return NULL;
  in->at += n;
  return in->at - n;
}

static bool read_tensor(input *in, pti_packet *p) {
  int64_t about[2 + PT_MAX_DIM], n = 1;
  const void *from = get(in, sizeof about);
  if (from == NULL) return false;
  memcpy(about, from, sizeof about);
  if (about[0] < 0 || about[0] >= PT_NDTYPE || about[1] < 0 || about[1] > PT_MAX_DIM) return false;
  for (int d = 0; d < about[1]; d++) {
    if (about[2 + d] < 0 || !pti_mul(n, about[2 + d], &n)) return false;
  }
  if (n > in->end - in->at) return false;
  from = get(in, (size_t)n * pt_dtype_size((pt_dtype)about[0]));
  pt_tensor *x = from ? pt_from_data(from, about + 2, (int)about[1], (pt_dtype)about[0]) : NULL;
  pt_parcel *parcel = x ? pt_pack(x) : NULL;
  if (parcel) p->parcel[p->nparcel++] = parcel;
  return parcel != NULL;
}

static bool read_all(input in, pti_packet *p) {
  int64_t head[2];
  const void *from = get(&in, sizeof head);
  if (from == NULL) return false;
  memcpy(head, from, sizeof head);
  if (head[0] < 0 || head[1] < 0 || head[1] > in.end - in.at || !(from = get(&in, (size_t)head[0])))
    return false;
  if (!(p->data = malloc((size_t)head[0] + 1))) return false;
  memcpy(p->data, from, (size_t)head[0]);
  p->n = p->cap = (size_t)head[0];
  if (!(p->parcel = calloc((size_t)head[1] + 1, sizeof *p->parcel))) return false;
  p->cap_parcel = (size_t)head[1] + 1;
  while (p->nparcel < (size_t)head[1]) {
    if (!read_tensor(&in, p)) return false;
  }
  return in.at == in.end;
}

static int value_unpack(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "value_unpack", "x");
  pti_packet *p = new_packet(L);
  const char *at = pti_ptr(x);
  pt_scope scope = pt_scope_begin();
  bool ok = read_all((input){at, at + x->numel}, p);
  pt_scope_end(scope);
  if (!ok) return pl_error(L, PT_EARG, "the bytes of a value arrived damaged");
  pl_reader r;
  pl_read_begin(&r, L, p, 0, 0, false);
  pl_read_value(&r);
  return 1;
}

void pl_open_value(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"value_pack", value_pack}, {"value_unpack", value_unpack}, {NULL, NULL}};
  pl_new_type(L, packet_type, packet_gc);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
