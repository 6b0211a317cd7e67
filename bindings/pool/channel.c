/* channel.c: channels as Lua objects.

   core.channel(capacity) -> channel;  core.channel_push(channel, value, seconds) -> true | false: full | nil: closed;
   core.channel_pop(channel, seconds) -> true, value | false: empty | nil: closed and empty */
#include <math.h>
#include <stdlib.h>

#include "pack.h"

static const char channel_type[] = "pt.core.channel", message_type[] = "pt.core.message";

typedef struct channel_box {
  pti_channel *channel;
} channel_box;
typedef struct message_box {
  pti_message *message;
} message_box;

pti_channel *pl_channel_at(lua_State *L, int i) {
  channel_box *box = luaL_testudata(L, i, channel_type);
  return box ? box->channel : NULL;
}

void pl_push_channel(lua_State *L, pti_channel *channel) {
  channel_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->channel = NULL;
  luaL_setmetatable(L, channel_type);
  box->channel = pti_channel_retain(channel);
}

static int channel_new(lua_State *L) {
  lua_Integer capacity = luaL_checkinteger(L, 1);
  channel_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->channel = NULL;
  luaL_setmetatable(L, channel_type);
  box->channel = pti_channel_new(capacity);
  return box->channel ? 1 : pl_raise(L);
}

static int channel_gc(lua_State *L) {
  channel_box *box = luaL_checkudata(L, 1, channel_type);
  pti_channel_release(box->channel);
  box->channel = NULL;
  return 0;
}

static int message_gc(lua_State *L) {
  message_box *box = luaL_checkudata(L, 1, message_type);
  pti_message_free(box->message);
  box->message = NULL;
  return 0;
}

static message_box *new_message_box(lua_State *L) {
  message_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->message = NULL;
  luaL_setmetatable(L, message_type);
  return box;
}

/* Pushes what a call that found nothing to do returns: nil when the channel is closed, else false. */
static int nothing(lua_State *L, bool closed) {
  if (!closed && !pti_poll()) pl_raise(L);
  if (closed) lua_pushnil(L);
  else lua_pushboolean(L, false);
  return 1;
}

static pti_channel *check_channel(lua_State *L) {
  channel_box *box = luaL_checkudata(L, 1, channel_type);
  return box->channel;
}

static int channel_push(lua_State *L) {
  pti_channel *c = check_channel(L);
  double seconds = luaL_optnumber(L, 3, HUGE_VAL);
  bool closed;
  lua_settop(L, 2);
  message_box *box = new_message_box(L);
  box->message = calloc(1, sizeof *box->message);
  if (box->message == NULL) return pl_error(L, PT_EMEMORY, "push: out of memory");
  pl_packer p;
  pl_pack_begin(&p, L, "push", NULL, &box->message->packet);
  pl_pack_value(&p, 2, "the value");
  if (!pti_channel_push(c, box->message, seconds, &closed)) return nothing(L, closed);
  box->message = NULL;
  lua_pushboolean(L, true);
  return 1;
}

static int channel_pop(lua_State *L) {
  pti_channel *c = check_channel(L);
  double seconds = luaL_optnumber(L, 2, HUGE_VAL);
  bool closed;
  message_box *box = new_message_box(L);
  box->message = pti_channel_pop(c, seconds, &closed);
  if (box->message == NULL) return nothing(L, closed);
  pl_reader r;
  lua_pushboolean(L, true);
  pl_read_begin(&r, L, &box->message->packet, 0, 0, false);
  pl_read_value(&r);
  lua_remove(L, -2);
  pti_message_free(box->message);
  box->message = NULL;
  return 2;
}

static int channel_close(lua_State *L) {
  pti_channel_close(check_channel(L));
  return 0;
}

static int channel_len(lua_State *L) {
  lua_pushinteger(L, pti_channel_len(check_channel(L)));
  return 1;
}

void pl_open_channel(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"channel", channel_new},     {"channel_push", channel_push},
      {"channel_pop", channel_pop}, {"channel_close", channel_close},
      {"channel_len", channel_len}, {NULL, NULL},
  };
  pl_new_type(L, message_type, message_gc);
  pl_new_type(L, channel_type, channel_gc);
  lua_pop(L, 2);
  luaL_setfuncs(L, functions, 0);
}
