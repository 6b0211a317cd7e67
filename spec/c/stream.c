/* stream.c: streams, events and pinned memory from C, on the simulated device; passes where that is not built. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ptlua.h"

#define CHECK(what)                                              \
  do {                                                           \
    if (!(what)) {                                               \
      printf("line %d: %s (%s)\n", __LINE__, #what, pt_error()); \
      return 1;                                                  \
    }                                                            \
  } while (0)

static int use(int device) {
  pt_stream home = pt_stream_current(device), s = pt_stream_new(device);
  CHECK(home.handle && s.handle && s.handle != home.handle && s.device == device);
  pt_tensor *x = pt_pin_memory(pt_full((int64_t[]){1000}, 1, 3, PT_F32, 0), device);
  CHECK(x && pt_is_pinned(x));
  pt_tensor *y = pt_to_device(x, device, true);
  float *data = pt_data_mut(x); /* waits for the copy */
  CHECK(y && data);
  data[0] = 7;
  pt_event *first = pt_event_new(true), *last = pt_event_new(true);
  double value, ms;
  CHECK(first && last && pt_event_query(first) == 1);
  CHECK(pt_event_record(first, home) && pt_stream_wait_event(s, first));
  CHECK(pt_stream_use(s) && pt_stream_current(device).handle == s.handle);
  CHECK(pt_stream_default(device).handle == home.handle);
  pt_tensor *z = pt_mul(y, y);
  CHECK(z && pt_record_stream(z, home) && pt_event_record(last, s) && pt_stream_use(home));
  CHECK(pt_stream_wait(home, s));
  CHECK(pt_item(pt_sum(z, NULL, -1, false, -1), &value) && value == 9000);
  CHECK(pt_event_synchronize(last) && pt_stream_query(s) == 1);
  CHECK(pt_event_elapsed(first, last, &ms) && ms >= 0);
  CHECK(pt_stream_synchronize(s) && pt_device_synchronize(device));
  pt_event_free(first);
  pt_event_free(last);
  CHECK(!pt_stream_use((pt_stream){0, NULL}) && pt_stream_new(0).device == -1);
  CHECK(pt_set_device(device) && pt_current_device("sim") == 0);
  return 0;
}

int main(void) {
  char path[4096];
  if (getcwd(path, sizeof path - 8) == NULL) return 1;
  snprintf(path + strlen(path), 8, "/build");
  setenv("PT_BACKEND_PATH", path, 0);
  int device = pt_device("sim:0");
  if (device < 0) return 0;
  pt_scope scope = pt_scope_begin();
  int wrong = use(device);
  pt_scope_end(scope);
  return wrong;
}
