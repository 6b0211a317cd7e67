/* device.c: collectives between the memories of devices, by a library that a plug-in brings (NCCL). A call goes to the
   group's own stream, after what the thread's stream was given so far; whoever waits for it waits until that stream came
   so far, so the tensors may then be used by any stream. Waiting is a look again and again: a rank that is gone makes a
   stream stand still, which only a clock can tell. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/comm.h"
#include "device.h"
#include "plugin.h"

bool pti_comm_use_device(pti_comm *c, const char *plugin, const char *device) {
  pti_comm_devices *d = pti_comm_devices_of(c);
  pti_collectives_opener *opener;
  void *entry = pti_plugin("backend", plugin, PTI_COLLECTIVES_ENTRY, pti_comm_install_hint(plugin));
  if (entry == NULL) return false;
  memcpy(&opener, &entry, sizeof opener); /* ISO C has no cast from object to function */
  const pti_collectives *t = opener(PTI_COLLECTIVES_ABI, &pti_comm_host);
  if (t == NULL || t->abi != PTI_COLLECTIVES_ABI)
    return pti_refuse(PT_EDEVICE,
                      "backend '%s': the plug-in was built for another version of ptlua", plugin);
  int number = pt_device(device);
  if (number < 0) return false;
  if (number == 0 || strcmp(pti_be(number)->name, t->device) != 0)
    return pti_refuse(PT_EDEVICE, "backend '%s' is for devices of '%s', got device_id '%s'", plugin,
                      t->device, device);
  *d = (pti_comm_devices){.t = t, .device = number};
  return true;
}

/* Lets others run; false where somebody wants to stop. */
static bool pause_or_stop(int waited) {
  if (waited < 2000) sched_yield();
  else nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
  return waited % 16 != 15 || pti_poll();
}

/* Until the library is done with the host's part of a call. */
static bool settle(pti_comm *c, const pti_work *w, void *end) {
  const pti_collectives *t = pti_comm_devices_of(c)->t;
  for (int waited = 0;; waited++) {
    int state = t->state(end);
    if (state != 0) return state > 0;
    if (pti_comm_late(c, w) || !pause_or_stop(waited)) return false;
  }
}

/* ---- groups ---- */

/* The first rank's identity of the group goes to all of them, over the transport. */
static bool share_id(pti_comm *c, pti_work *w, unsigned char *id) {
  const pti_collectives *t = pti_comm_devices_of(c)->t;
  w->kind = PTI_WORK_BROADCAST;
  w->in[0] = id;
  w->nin[0] = PTI_COLLECTIVES_ID;
  if (w->group->me == 0 && !t->new_id(id)) return false;
  return pti_work_start(c, w) && pti_work_wait(c, w, 1e9) > 0;
}

bool pti_device_join(pti_comm *c, pti_group *g) {
  const pti_comm_devices *d = pti_comm_devices_of(c);
  const pt_backend *be = pti_be(d->device);
  int dev = pti_device_at(d->device)->index;
  unsigned char id[PTI_COLLECTIVES_ID] = {0};
  pti_device_end *e = calloc(1, sizeof *e);
  pti_work *w = e ? pti_work_new("new_group", g) : NULL;
  if (w == NULL) {
    free(e);
    return pti_refuse(PT_EMEMORY, "new_group: out of memory");
  }
  g->device = e;
  bool ok = share_id(c, w, id);
  bool over = ok || pti_work_over(w) || w->started == 0;
  /* be->stream makes the device the thread's current one */
  ok = ok && be->stream(dev) && (e->stream = be->stream_new(dev)) &&
      (e->end = d->t->join(id, g->me, g->n)) && settle(c, w, e->end);
  if (over) pti_work_free(w);
  if (!ok) pti_device_leave(c, g, true);
  return ok;
}

void pti_device_leave(pti_comm *c, pti_group *g, bool failed) {
  pti_comm_devices *d = pti_comm_devices_of(c);
  if (g->device == NULL) return;
  if (g->device->end) d->t->leave(g->device->end, failed);
  free(g->device);
  g->device = NULL;
  for (pti_work **at = &d->under_way; *at;) {
    pti_work *w = *at;
    if (w->group != g) {
      at = &w->next;
      continue;
    }
    *at = w->next;
    pti_be(d->device)->mark_free(pti_device_at(d->device)->index, w->mark);
    pti_fail(PT_EINTERRUPT, "the process group was destroyed");
    pti_comm_end(c, w, false);
  }
}

/* ---- works ---- */

static bool launch(const pti_collectives *t, const pti_device_end *e, const pti_work *w) {
  if (w->kind == PTI_WORK_BROADCAST)
    return t->broadcast(e->end, w->in[0], w->nin[0], w->peer, e->stream);
  if (w->kind == PTI_WORK_EXCHANGE) {
    if (w->gathers) return t->all_gather(e->end, w->in[0], w->to[0], w->nin[0], e->stream);
    return t->exchange(e->end, w->group->n, w->in, w->nin, w->to, w->nto, e->stream);
  }
  bool scattered = w->spread == PTI_SPREAD_NONE;
  pti_device_sum s = {.spread = w->spread,
                      .op = w->op,
                      .dtype = w->dtype,
                      .root = w->peer,
                      .n = (size_t)(scattered ? w->count : w->total),
                      .in = w->in[0],
                      .out = w->out};
  return t->reduce(e->end, &s, e->stream);
}

/* A call that failed may still be under way: the library ends it before its memory is let go. */
static void give_up(pti_comm *c, pti_work *w) {
  pti_comm_end(c, w, false);
  if (w->group->device->end) pti_comm_devices_of(c)->t->leave(w->group->device->end, true);
  w->group->device->end = NULL;
}

bool pti_device_start(pti_comm *c, pti_work *w) {
  pti_comm_devices *d = pti_comm_devices_of(c);
  const pti_device_end *e = w->group->device;
  const pt_backend *be = pti_be(d->device);
  int dev = pti_device_at(d->device)->index;
  void *own = be->stream(dev), *before = own ? be->mark(dev, own, false) : NULL;
  bool ok = before && be->mark_before(dev, before, e->stream);
  if (before) be->mark_free(dev, before);
  ok = ok && launch(d->t, e, w) && settle(c, w, e->end) &&
      (w->mark = be->mark(dev, e->stream, false));
  if (!ok) {
    give_up(c, w);
    return false;
  }
  w->next = d->under_way;
  d->under_way = w;
  return true;
}

static int finished(pti_comm *c, pti_work *w, bool ok) {
  pti_comm_devices *d = pti_comm_devices_of(c);
  pti_work **at = &d->under_way;
  while (*at != w) at = &(*at)->next;
  *at = w->next;
  w->next = NULL;
  if (ok) pti_comm_end(c, w, true);
  else give_up(c, w);
  pti_be(d->device)->mark_free(pti_device_at(d->device)->index, w->mark);
  w->mark = NULL;
  return 1;
}

int pti_device_wait(pti_comm *c, pti_work *w, double seconds) {
  const pti_comm_devices *d = pti_comm_devices_of(c);
  const pt_backend *be = pti_be(d->device);
  int dev = pti_device_at(d->device)->index;
  double until = pt_clock() + seconds;
  for (int waited = 0;; waited++) {
    int state = be->mark_done(dev, w->mark, false);
    if (state != 0) return finished(c, w, state > 0);
    void *end = w->group->device->end;
    if (end == NULL) {
      pti_fail(PT_EDEVICE, "another call of the group failed");
      return finished(c, w, false);
    }
    if (d->t->state(end) < 0 || pti_comm_late(c, w)) return finished(c, w, false);
    if (pt_clock() >= until) return 0;
    if (!pause_or_stop(waited)) return -1;
  }
}
