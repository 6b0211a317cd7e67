/* channel.c: queues of values between any two states, and how threads wait for each other.

   core.channel(capacity) -> channel;  core.channel_push(channel, value, seconds) -> true | false: full | nil: closed;
   core.channel_pop(channel, seconds) -> true, value | false: empty | nil: closed and empty */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "worker.h"
#include "pool.h"

static const double SLICE = 0.02, SPIN = 100e-6;

static struct timespec after(double seconds) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double whole = floor(seconds);
  t.tv_sec += (time_t)whole;
  t.tv_nsec += (long)((seconds - whole) * 1e9);
  if (t.tv_nsec >= 1000000000) {
    t.tv_nsec -= 1000000000;
    t.tv_sec++;
  }
  return t;
}

void pl_init_cond(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(cond, &attr);
  pthread_condattr_destroy(&attr);
}

void pl_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds) {
  struct timespec until = after(seconds);
  pthread_cond_timedwait(cond, mutex, &until);
}

void pl_wait_slice(pthread_cond_t *cond, pthread_mutex_t *mutex, double seconds) {
  bool counted = pl_this_worker() != NULL;
  if (counted) pti_worker_leave();
  pl_wait_until(cond, mutex, seconds < SLICE ? seconds : SLICE);
  if (counted) pti_worker_enter();
}

/* A sleeper wakes after 40 to 90 us, and SPIN is longer than that: two threads that take turns find back to looking
   after one of them has slept. Where cores are busy, or tasks take long, looking is in vain and in the way: who fails
   leaves it out the next time, then three times, up to PAUSE times. */
void pl_spin(const atomic_uint *news, unsigned seen) {
  enum { PAUSE = 63 };
  static PTI_THREAD int pause, left_out;
  if (pt_get_num_threads() < 2 || (left_out > 0 && left_out-- > 0)) return;
  double until = pt_clock() + SPIN;
  while (atomic_load_explicit(news, memory_order_acquire) == seen) {
    if (pt_clock() > until || !pti_core_free()) {
      pause = pause < PAUSE ? 2 * pause + 1 : PAUSE;
      left_out = pause;
      return;
    }
    for (int i = 0; i < 8; i++) pti_relax();
  }
  pause = 0;
}

void pl_wait_spinning(const atomic_uint *news, pthread_mutex_t *mutex) {
  bool counted = pl_this_worker() != NULL;
  unsigned seen = atomic_load(news);
  pthread_mutex_unlock(mutex);
  if (counted) pti_worker_leave();
  pl_spin(news, seen);
  if (counted) pti_worker_enter();
  pthread_mutex_lock(mutex);
}

/* ---- channels ---- */

typedef struct message {
  pl_packet packet;
  struct message *link;
} message;

struct pl_channel {
  atomic_int refs;
  pthread_mutex_t mutex;
  pthread_cond_t change;
  atomic_uint news; /* grows with every change */
  int64_t capacity, n;
  message *head, *tail;
  bool closed;
  pl_channel *next; /* of those to be freed */
};

static const char channel_type[] = "pt.core.channel", message_type[] = "pt.core.message";

typedef struct channel_box {
  pl_channel *channel;
} channel_box;
typedef struct message_box {
  message *message;
} message_box;

static void free_message(message *m) {
  if (m == NULL) return;
  pl_packet_free(&m->packet);
  free(m);
}

pl_channel *pl_channel_retain(pl_channel *channel) {
  atomic_fetch_add(&channel->refs, 1);
  return channel;
}

/* A message may hold the last reference to another channel: those wait their turn here, so that long chains are freed
   without recursion. */
static _Thread_local pl_channel *dying;
static _Thread_local bool freeing;

void pl_channel_release(pl_channel *channel) {
  if (channel == NULL || atomic_fetch_sub(&channel->refs, 1) != 1) return;
  channel->next = dying;
  dying = channel;
  if (freeing) return;
  freeing = true;
  while ((channel = dying) != NULL) {
    dying = channel->next;
    for (message *m = channel->head, *after; m; m = after) {
      after = m->link;
      free_message(m);
    }
    pthread_mutex_destroy(&channel->mutex);
    pthread_cond_destroy(&channel->change);
    free(channel);
  }
  freeing = false;
}

pl_channel *pl_channel_at(lua_State *L, int i) {
  channel_box *box = luaL_testudata(L, i, channel_type);
  return box ? box->channel : NULL;
}

void pl_push_channel(lua_State *L, pl_channel *channel) {
  channel_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->channel = NULL;
  luaL_setmetatable(L, channel_type);
  box->channel = pl_channel_retain(channel);
}

static int channel_new(lua_State *L) {
  lua_Integer capacity = luaL_checkinteger(L, 1);
  channel_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->channel = NULL;
  luaL_setmetatable(L, channel_type);
  pl_channel *channel = box->channel = calloc(1, sizeof *channel);
  if (channel == NULL) return pl_error(L, PT_EMEMORY, "channel: out of memory");
  channel->capacity = capacity;
  atomic_init(&channel->refs, 1);
  pthread_mutex_init(&channel->mutex, NULL);
  pl_init_cond(&channel->change);
  return 1;
}

static int channel_gc(lua_State *L) {
  channel_box *box = luaL_checkudata(L, 1, channel_type);
  pl_channel_release(box->channel);
  box->channel = NULL;
  return 0;
}

static int message_gc(lua_State *L) {
  message_box *box = luaL_checkudata(L, 1, message_type);
  free_message(box->message);
  box->message = NULL;
  return 0;
}

static message_box *new_message_box(lua_State *L) {
  message_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->message = NULL;
  luaL_setmetatable(L, message_type);
  return box;
}

/* Waits until there is room (or, for `pop`, a message), the channel is closed or time is up; the mutex is held. */
static void await(pl_channel *c, bool pop, double seconds) {
  double end = pt_clock() + seconds, left;
  bool spun = false;
  while (!c->closed && (pop ? c->n == 0 : c->n >= c->capacity) && (left = end - pt_clock()) > 0 &&
         pti_poll()) {
    if (spun) pl_wait_slice(&c->change, &c->mutex, left);
    else pl_wait_spinning(&c->news, &c->mutex);
    spun = true;
  }
}

/* Tells those who wait; the mutex is held. */
static void changed(pl_channel *c) {
  pthread_cond_broadcast(&c->change);
  atomic_fetch_add(&c->news, 1);
}

/* Pushes what a call that found nothing to do returns: nil when the channel is closed, else false. */
static int nothing(lua_State *L, bool closed) {
  if (!closed && !pti_poll()) pl_raise(L);
  if (closed) lua_pushnil(L);
  else lua_pushboolean(L, false);
  return 1;
}

static int channel_push(lua_State *L) {
  channel_box *self = luaL_checkudata(L, 1, channel_type);
  pl_channel *c = self->channel;
  double seconds = luaL_optnumber(L, 3, HUGE_VAL);
  lua_settop(L, 2);
  message_box *box = new_message_box(L);
  message *m = box->message = calloc(1, sizeof *m);
  if (m == NULL) return pl_error(L, PT_EMEMORY, "push: out of memory");
  pl_packer p;
  pl_pack_begin(&p, L, "push", NULL, &m->packet);
  pl_pack_value(&p, 2, "the value");
  pthread_mutex_lock(&c->mutex);
  await(c, false, seconds);
  bool closed = c->closed, room = !closed && c->n < c->capacity;
  if (room) {
    *(c->tail ? &c->tail->link : &c->head) = m;
    c->tail = m;
    c->n++;
    box->message = NULL;
    changed(c);
  }
  pthread_mutex_unlock(&c->mutex);
  if (!room) return nothing(L, closed);
  lua_pushboolean(L, true);
  return 1;
}

static int channel_pop(lua_State *L) {
  channel_box *self = luaL_checkudata(L, 1, channel_type);
  pl_channel *c = self->channel;
  double seconds = luaL_optnumber(L, 2, HUGE_VAL);
  message_box *box = new_message_box(L);
  pthread_mutex_lock(&c->mutex);
  await(c, true, seconds);
  bool closed = c->closed;
  message *m = c->head;
  if (m) {
    c->head = m->link;
    if (c->head == NULL) c->tail = NULL;
    c->n--;
    box->message = m;
    changed(c);
  }
  pthread_mutex_unlock(&c->mutex);
  if (m == NULL) return nothing(L, closed);
  pl_reader r;
  lua_pushboolean(L, true);
  pl_read_begin(&r, L, &m->packet, 0, 0, false);
  pl_read_value(&r);
  lua_remove(L, -2);
  free_message(m);
  box->message = NULL;
  return 2;
}

static int channel_close(lua_State *L) {
  channel_box *self = luaL_checkudata(L, 1, channel_type);
  pthread_mutex_lock(&self->channel->mutex);
  self->channel->closed = true;
  changed(self->channel);
  pthread_mutex_unlock(&self->channel->mutex);
  return 0;
}

static int channel_len(lua_State *L) {
  channel_box *self = luaL_checkudata(L, 1, channel_type);
  pthread_mutex_lock(&self->channel->mutex);
  lua_pushinteger(L, self->channel->n);
  pthread_mutex_unlock(&self->channel->mutex);
  return 1;
}

void pl_open_channel(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"channel", channel_new},     {"channel_push", channel_push},
      {"channel_pop", channel_pop}, {"channel_close", channel_close},
      {"channel_len", channel_len}, {NULL, NULL},
  };
  luaL_newmetatable(L, message_type);
  lua_pushcfunction(L, message_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newmetatable(L, channel_type);
  lua_pushcfunction(L, channel_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
