/* stream.c: streams and events of the public header, over the marks of a backend. */
#include "stream.h"

#include <stdatomic.h>

#include "mem.h"

static atomic_bool made;

bool pti_streams_made(void) { return atomic_load_explicit(&made, memory_order_relaxed); }

static const pti_device *with_streams(int device) {
  pti_device_at(0);
  if (device > 0 && device < pti_device_count()) return pti_device_at(device);
  pti_fail(PT_EDEVICE, "%s has no streams: what is asked of it is done at once",
           pt_device_name(device));
  return NULL;
}

static pt_stream stream_of(int device, void *handle) {
  return (pt_stream){handle ? device : -1, handle};
}

pt_stream pt_stream_new(int device) {
  const pti_device *d = with_streams(device);
  if (d) atomic_store(&made, true);
  return stream_of(device, d ? d->be->stream_new(d->index) : NULL);
}

pt_stream pt_stream_current(int device) {
  const pti_device *d = with_streams(device);
  return stream_of(device, d ? d->be->stream(d->index) : NULL);
}

pt_stream pt_stream_default(int device) {
  pt_stream now = pt_stream_current(device);
  if (now.handle == NULL) return now;
  const pti_device *d = pti_device_at(device);
  d->be->stream_use(d->index, NULL);
  void *own = d->be->stream(d->index);
  d->be->stream_use(d->index, now.handle);
  return stream_of(device, own);
}

bool pt_stream_use(pt_stream s) {
  const pti_device *d = with_streams(s.device);
  if (d) d->be->stream_use(d->index, s.handle);
  return d != NULL;
}

/* An event of the moment. */
static bool mark_now(pt_event *e, pt_stream s, bool timed) {
  const pti_device *d = with_streams(s.device);
  *e = (pt_event){.device = s.device, .timed = timed, .stream = s.handle};
  return d && (e->mark = d->be->mark(d->index, s.handle, timed)) != NULL;
}
static void drop_mark(pt_event *e) {
  const pti_device *d = pti_device_at(e->device);
  if (e->mark) d->be->mark_free(d->index, e->mark);
  e->mark = NULL;
}

int pt_stream_query(pt_stream s) {
  pt_event e;
  if (!mark_now(&e, s, false)) return -1;
  int done = pt_event_query(&e);
  drop_mark(&e);
  return done;
}
bool pt_stream_synchronize(pt_stream s) {
  pt_event e;
  if (!mark_now(&e, s, false)) return false;
  bool ok = pt_event_synchronize(&e);
  drop_mark(&e);
  return ok;
}
bool pt_stream_wait(pt_stream later, pt_stream earlier) {
  pt_event e;
  if (!mark_now(&e, earlier, false)) return false;
  bool ok = pt_stream_wait_event(later, &e);
  drop_mark(&e);
  return ok;
}
bool pt_stream_wait_event(pt_stream s, const pt_event *e) {
  const pti_device *d = with_streams(s.device);
  if (d == NULL || e->mark == NULL)
    return d != NULL; /* an event never recorded is over, as in CUDA */
  if (d->be != pti_be(e->device)) {
    return pti_refuse(PT_EDEVICE, "wait_event: a stream of %s cannot wait for an event of %s",
                      pt_device_name(s.device), pt_device_name(e->device));
  }
  return d->be->mark_before(d->index, e->mark, s.handle);
}

/* ---- events ---- */

pt_event *pt_event_new(bool timed) {
  pt_event *e = pti_alloc(sizeof *e);
  if (e) *e = (pt_event){.timed = timed};
  return e;
}
void pt_event_free(pt_event *e) {
  if (e == NULL) return;
  drop_mark(e);
  pti_free(e, sizeof *e);
}

bool pt_event_record(pt_event *e, pt_stream s) {
  pt_event next;
  if (!mark_now(&next, s, e->timed)) return false;
  drop_mark(e);
  *e = next;
  return true;
}

static int done(const pt_event *e, bool wait) {
  if (e->mark == NULL) return 1;
  const pti_device *d = pti_device_at(e->device);
  return d->be->mark_done(d->index, e->mark, wait);
}
int pt_event_query(const pt_event *e) { return done(e, false); }
bool pt_event_synchronize(const pt_event *e) { return done(e, true) == 1; }

bool pt_event_elapsed(const pt_event *from, const pt_event *to, double *ms) {
  const char *why = !from->timed || !to->timed ? "both events must be made with enable_timing"
      : !from->mark || !to->mark               ? "both events must have been recorded"
      : from->device != to->device             ? "the events are of two devices"
      : done(from, false) != 1                 ? "the first event is not reached yet; synchronize()"
      : done(to, false) != 1 ? "the second event is not reached yet; synchronize()"
                             : NULL;
  if (why) return pti_refuse(PT_EARG, "elapsed_time: %s", why);
  const pti_device *d = pti_device_at(from->device);
  return d->be->mark_time(d->index, from->mark, to->mark, ms);
}
