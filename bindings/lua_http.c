/* lua_http.c: servers and requests (engine/http/http.h) as Lua objects. A server is known by its number in other states; a
   request belongs to the state that took it.

   core.http_open(address, port, connections, patience, body_limit, line_limit) -> server;  core.http_find(number) -> server
   core.http_take(server, line, seconds) -> request, method, path, headers, body (nil: too large) | nil: none | false: over
   core.http_respond(request, status, fields, body), http_begin(request, status, fields), http_write(request, text),
   http_end(request), http_gone(request), http_pass(request) -> boolean; fields: a list of names and values in turn */
#include <string.h>

#include "binding.h"

#ifdef PT_HAVE_HTTP
#include "http/http.h"

static const char server_type[] = "pt.core.server", request_type[] = "pt.core.request";

/* ---- servers ---- */

static pti_http **new_server(lua_State *L) {
  pti_http **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, server_type);
  return box;
}

static int http_open(lua_State *L) {
  pti_http_options o = {.address = luaL_checkstring(L, 1),
                        .port = (int)luaL_checkinteger(L, 2),
                        .connections = (int)luaL_checkinteger(L, 3),
                        .patience = (int)luaL_checkinteger(L, 4),
                        .body_limit = (size_t)luaL_checkinteger(L, 5),
                        .line_limit = (int)luaL_checkinteger(L, 6)};
  pti_http **box = new_server(L);
  *box = pti_http_open(&o);
  if (*box) return 1;
  pti_error_prefix("listen");
  return pl_raise(L);
}

static int http_find(lua_State *L) {
  pti_http **box = new_server(L);
  *box = pti_http_find(luaL_checkinteger(L, 1));
  return *box ? 1 : pl_raise(L);
}

static int drop_server(lua_State *L) {
  pti_http **box = luaL_checkudata(L, 1, server_type);
  pti_http_release(*box);
  *box = NULL;
  return 0;
}

static pti_http *check_server(lua_State *L) {
  pti_http **box = luaL_checkudata(L, 1, server_type);
  return *box;
}

static int http_place(lua_State *L) {
  pti_http *s = check_server(L);
  lua_pushinteger(L, pti_http_id(s));
  lua_pushinteger(L, pti_http_port(s));
  return 2;
}

static int http_waiting(lua_State *L) {
  lua_pushinteger(L, pti_http_waiting(check_server(L)));
  return 1;
}

static int http_drain(lua_State *L) {
  pti_http_drain(check_server(L));
  return 0;
}

static int http_close(lua_State *L) {
  pti_http_close(check_server(L));
  return 0;
}

/* ---- requests ---- */

static int drop_request(lua_State *L) {
  pti_http_request **box = luaL_checkudata(L, 1, request_type), *r = *box;
  *box = NULL;
  if (r) pti_http_drop(r);
  return 0;
}

/* The request at 1; an error where it has been answered or passed on. */
static pti_http_request *check_request(lua_State *L, const char *op) {
  pti_http_request **box = luaL_checkudata(L, 1, request_type);
  if (*box == NULL) pl_error(L, PT_EARG, "%s: the request has its answer or was passed on", op);
  return *box;
}

/* Names in lower case, as they have no case. */
static void push_headers(lua_State *L, const pti_http_text *t) {
  lua_newtable(L);
  for (const char *at = t->data, *end = at ? at + t->n : at; at < end;) {
    size_t n = strlen(at);
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, n);
    for (size_t i = 0; i < n; i++)
      to[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + 32) : at[i];
    luaL_pushresultsize(&b, n);
    at += n + 1;
    lua_pushstring(L, at);
    lua_rawset(L, -3);
    at += strlen(at) + 1;
  }
}

static int http_take(lua_State *L) {
  pti_http *s = check_server(L);
  bool over;
  pti_http_request **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, request_type);
  *box = pti_http_take(s, (int)luaL_checkinteger(L, 2), luaL_checknumber(L, 3), &over);
  if (*box == NULL) {
    if (over) lua_pushboolean(L, false);
    else if (pti_poll()) lua_pushnil(L);
    else pl_raise(L);
    return 1;
  }
  lua_pushstring(L, (*box)->method);
  lua_pushstring(L, (*box)->path);
  push_headers(L, &(*box)->headers);
  if ((*box)->too_large) lua_pushnil(L);
  else lua_pushlstring(L, (*box)->body.data ? (*box)->body.data : "", (*box)->body.n);
  return 5;
}

/* Reads a list of names and values in turn. What a header cannot hold is refused: it could begin another one. */
static void add_fields(lua_State *L, int i, pti_http_text *fields, const char *op) {
  luaL_checktype(L, i, LUA_TTABLE);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  lua_Integer count = (lua_Integer)lua_rawlen(L, i);
  for (lua_Integer k = 1; k <= count; k++) {
    size_t n = 0;
    lua_rawgeti(L, i, k);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    if (text == NULL || strlen(text) != n || strpbrk(text, "\r\n"))
      pl_error(L, PT_EARG, "%s: headers must be strings of one line", op);
    luaL_addlstring(&b, text, n + 1);
    lua_pop(L, 1);
  }
  luaL_pushresult(&b);
  size_t n;
  fields->data = (char *)lua_tolstring(L, -1, &n); /* on the stack until the call ends */
  fields->n = n;
}

static int told(lua_State *L, bool ok) {
  lua_pushboolean(L, ok);
  return 1;
}

static int status_of(lua_State *L, const char *op) {
  lua_Integer status = luaL_checkinteger(L, 2);
  if (status < 200 || status > 599)
    pl_error(L, PT_EARG, "%s: status must be between 200 and 599, got %lld", op, (long long)status);
  return (int)status;
}

static int http_respond(lua_State *L) {
  pti_http_request *r = check_request(L, "respond");
  pti_http_text fields = {.n = 0};
  size_t n;
  int status = status_of(L, "respond");
  const char *body = luaL_checklstring(L, 4, &n);
  add_fields(L, 3, &fields, "respond");
  bool ok = pti_http_respond(r, status, &fields, body, n);
  drop_request(L);
  return told(L, ok);
}

static int http_begin(lua_State *L) {
  pti_http_request *r = check_request(L, "begin");
  pti_http_text fields = {.n = 0};
  int status = status_of(L, "begin");
  add_fields(L, 3, &fields, "begin");
  return told(L, pti_http_begin(r, status, &fields));
}

static int http_write(lua_State *L) {
  size_t n;
  pti_http_request *r = check_request(L, "write");
  const char *text = luaL_checklstring(L, 2, &n);
  return told(L, pti_http_write(r, text, n));
}

static int http_end(lua_State *L) {
  bool ok = pti_http_end(check_request(L, "finish"));
  drop_request(L);
  return told(L, ok);
}

static int http_gone(lua_State *L) {
  pti_http_request **box = luaL_checkudata(L, 1, request_type);
  return told(L, *box == NULL || pti_http_gone(*box));
}

static int http_pass(lua_State *L) {
  pti_http_request **box = luaL_checkudata(L, 1, request_type);
  bool ok = pti_http_pass(check_request(L, "pass"));
  if (ok) *box = NULL;
  return told(L, ok);
}

void pl_open_http(lua_State *L) {
  static const luaL_Reg functions[] = {{"http_open", http_open},   {"http_find", http_find},
                                       {"http_place", http_place}, {"http_waiting", http_waiting},
                                       {"http_drain", http_drain}, {"http_close", http_close},
                                       {"http_take", http_take},   {"http_respond", http_respond},
                                       {"http_begin", http_begin}, {"http_write", http_write},
                                       {"http_end", http_end},     {"http_gone", http_gone},
                                       {"http_pass", http_pass},   {NULL, NULL}};
  pl_new_type(L, server_type, drop_server);
  pl_new_type(L, request_type, drop_request);
  lua_pop(L, 2);
  luaL_setfuncs(L, functions, 0);
}

#else

static int http_open(lua_State *L) {
  return pl_error(
      L, PT_EIO,
      "listen: this build has no HTTP: install libmicrohttpd (Debian: libmicrohttpd-dev) and "
      "build again");
}

void pl_open_http(lua_State *L) {
  static const luaL_Reg functions[] = {{"http_open", http_open}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}

#endif
