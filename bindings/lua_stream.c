/* lua_stream.c: streams and events of devices as Lua objects: what pt.cuda.Stream and pt.cuda.Event return. A stream is
   a value, an event owns its mark. */
#include <string.h>

#include "binding.h"

static const char STREAM[] = "pt.cuda.Stream", EVENT[] = "pt.cuda.Event";

typedef struct event_box {
  pt_event *e;
  int device; /* whose current stream it takes where none is given; -1: that of "cuda" */
} event_box;

static int push_stream(lua_State *L, pt_stream s) {
  if (s.handle == NULL) return pl_raise(L);
  *(pt_stream *)lua_newuserdatauv(L, sizeof s, 0) = s;
  luaL_setmetatable(L, STREAM);
  return 1;
}

static void *check(lua_State *L, int i, const char *type, const char *op, const char *wanted) {
  void *p = luaL_testudata(L, i, type);
  if (p == NULL) pl_error(L, PT_EARG, "%s: expected %s, got %s", op, wanted, pl_describe(L, i));
  return p;
}
static pt_stream stream_at(lua_State *L, int i, const char *op) {
  return *(pt_stream *)check(L, i, STREAM, op, "a stream (pt.cuda.Stream)");
}
static event_box *event_at(lua_State *L, int i, const char *op) {
  event_box *box = check(L, i, EVENT, op, "an event (pt.cuda.Event)");
  if (box->e == NULL) pl_error(L, PT_EARG, "%s: the event is gone", op);
  return box;
}

static int device_named(lua_State *L, int i) {
  int device = pt_device(luaL_checkstring(L, i));
  if (device < 0) pl_raise(L);
  return device;
}

/* ---- streams ---- */

static int stream_new(lua_State *L) { return push_stream(L, pt_stream_new(device_named(L, 1))); }
static int stream_current(lua_State *L) {
  return push_stream(L, pt_stream_current(device_named(L, 1)));
}
static int stream_default(lua_State *L) {
  return push_stream(L, pt_stream_default(device_named(L, 1)));
}
/* core.stream_use(stream) -> the one before */
static int stream_use(lua_State *L) {
  pt_stream s = stream_at(L, 1, "stream"), was = pt_stream_current(s.device);
  push_stream(L, was);
  return pt_stream_use(s) ? 1 : pl_raise(L);
}

static int answer(lua_State *L, int done) {
  if (done < 0) return pl_raise(L);
  lua_pushboolean(L, done);
  return 1;
}
static int stream_query(lua_State *L) {
  return answer(L, pt_stream_query(stream_at(L, 1, "query")));
}
static int stream_synchronize(lua_State *L) {
  return pt_stream_synchronize(stream_at(L, 1, "synchronize")) ? 0 : pl_raise(L);
}
static int stream_wait_stream(lua_State *L) {
  pt_stream s = stream_at(L, 1, "wait_stream"), other = stream_at(L, 2, "wait_stream");
  return pt_stream_wait(s, other) ? 0 : pl_raise(L);
}
static int stream_wait_event(lua_State *L) {
  pt_stream s = stream_at(L, 1, "wait_event");
  return pt_stream_wait_event(s, event_at(L, 2, "wait_event")->e) ? 0 : pl_raise(L);
}

static int push_event(lua_State *L, bool timed, int device) {
  event_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (event_box){.device = device};
  luaL_setmetatable(L, EVENT);
  box->e = pt_event_new(timed);
  return box->e ? 1 : pl_raise(L);
}
/* s:record_event(event?) -> event */
static int stream_record_event(lua_State *L) {
  pt_stream s = stream_at(L, 1, "record_event");
  if (lua_isnoneornil(L, 2)) push_event(L, false, s.device);
  else lua_pushvalue(L, 2);
  return pt_event_record(event_at(L, -1, "record_event")->e, s) ? 1 : pl_raise(L);
}

static int stream_eq(lua_State *L) {
  const pt_stream *a = luaL_testudata(L, 1, STREAM), *b = luaL_testudata(L, 2, STREAM);
  lua_pushboolean(L, a && b && a->handle == b->handle && a->device == b->device);
  return 1;
}
static int stream_text(lua_State *L) {
  pt_stream s = stream_at(L, 1, "tostring");
  lua_pushfstring(L, "Stream(device='%s', %p)", pt_device_name(s.device), s.handle);
  return 1;
}
/* s.device, and methods */
static int stream_index(lua_State *L) {
  pt_stream s = stream_at(L, 1, "stream");
  const char *key = lua_tostring(L, 2);
  if (key && strcmp(key, "device") == 0) lua_pushstring(L, pt_device_name(s.device));
  else luaL_getmetafield(L, 1, key ? key : "");
  return lua_gettop(L) > 2;
}

/* ---- events ---- */

/* core.event(timed, device or nil) */
static int event_new(lua_State *L) {
  int device = lua_isnoneornil(L, 2) ? -1 : device_named(L, 2);
  return push_event(L, lua_toboolean(L, 1), device);
}
/* The stream at index 2, or the thread's current one. */
static pt_stream stream_for(lua_State *L, const event_box *box, const char *op) {
  if (!lua_isnoneornil(L, 2)) return stream_at(L, 2, op);
  int device = box->device >= 0 ? box->device : pt_device("cuda");
  if (device < 0) pl_raise(L);
  pt_stream s = pt_stream_current(device);
  if (s.handle == NULL) pl_raise(L);
  return s;
}
static int event_record(lua_State *L) {
  event_box *box = event_at(L, 1, "record");
  return pt_event_record(box->e, stream_for(L, box, "record")) ? 0 : pl_raise(L);
}
static int event_wait(lua_State *L) {
  event_box *box = event_at(L, 1, "wait");
  return pt_stream_wait_event(stream_for(L, box, "wait"), box->e) ? 0 : pl_raise(L);
}
static int event_query(lua_State *L) {
  return answer(L, pt_event_query(event_at(L, 1, "query")->e));
}
static int event_synchronize(lua_State *L) {
  return pt_event_synchronize(event_at(L, 1, "synchronize")->e) ? 0 : pl_raise(L);
}
static int event_elapsed(lua_State *L) {
  double ms;
  event_box *from = event_at(L, 1, "elapsed_time"), *to = event_at(L, 2, "elapsed_time");
  if (!pt_event_elapsed(from->e, to->e, &ms)) return pl_raise(L);
  lua_pushnumber(L, ms);
  return 1;
}
static int event_gc(lua_State *L) {
  event_box *box = luaL_testudata(L, 1, EVENT);
  if (box) pt_event_free(box->e);
  if (box) box->e = NULL;
  return 0;
}

/* core.record_stream(x, stream) */
static int record_stream(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "record_stream", "x");
  return pt_record_stream(x, stream_at(L, 2, "record_stream")) ? 0 : pl_raise(L);
}

void pl_open_stream(lua_State *L) {
  static const luaL_Reg functions[] = {{"stream_new", stream_new},
                                       {"stream_current", stream_current},
                                       {"stream_default", stream_default},
                                       {"stream_use", stream_use},
                                       {"event", event_new},
                                       {"record_stream", record_stream},
                                       {NULL, NULL}},
                        of_stream[] = {{"query", stream_query},
                                       {"synchronize", stream_synchronize},
                                       {"wait_stream", stream_wait_stream},
                                       {"wait_event", stream_wait_event},
                                       {"record_event", stream_record_event},
                                       {"__eq", stream_eq},
                                       {"__tostring", stream_text},
                                       {"__index", stream_index},
                                       {NULL, NULL}},
                        of_event[] = {
                            {"record", event_record},        {"wait", event_wait},
                            {"query", event_query},          {"synchronize", event_synchronize},
                            {"elapsed_time", event_elapsed}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  pl_new_type(L, STREAM, NULL);
  luaL_setfuncs(L, of_stream, 0);
  pl_new_type(L, EVENT, event_gc);
  luaL_newlib(L, of_event);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
}
