/* base.c: the thread's error and other per-thread state. Errors are text in a buffer of the thread;
   nothing here prints, allocates or exits. */
#include "base.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

PTI_THREAD pti_thread pti_this;

static _Thread_local struct {
  pt_status code;
  char text[1024];
} last;

static void record(pt_status code, const char *format, va_list ap) {
  vsnprintf(last.text, sizeof last.text, format, ap);
  last.code = code;
}

void *pti_fail(pt_status code, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  record(code, format, ap);
  va_end(ap);
  return NULL;
}

bool pti_refuse(pt_status code, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  record(code, format, ap);
  va_end(ap);
  return false;
}

void pti_error_prefix(const char *prefix) {
  char text[sizeof last.text];
  size_t n = strlen(prefix);
  if (strncmp(last.text, prefix, n) == 0 && last.text[n] == ':') return;
  memcpy(text, last.text, sizeof text);
  int used = snprintf(last.text, sizeof last.text, "%s: ", prefix);
  if (used < 0 || (size_t)used >= sizeof last.text) return;
  snprintf(last.text + used, sizeof last.text - (size_t)used, "%s", text);
}

bool pt_set_error(pt_status code, const char *message) { return pti_refuse(code, "%s", message); }
pt_status pt_error_code(void) { return last.code; }
const char *pt_error(void) { return last.text; }
const char *pt_version(void) { return PT_VERSION; }
int pt_version_number(void) { return PT_VERSION_NUMBER; }

bool pti_poll_now(void) {
  _Atomic int *flag = pti_this.interrupt;
  if (flag && atomic_load_explicit(flag, memory_order_relaxed) != 0)
    return pti_refuse(PT_EINTERRUPT, "interrupted");
  if (pti_this.deadline == 0 || pt_clock() < pti_this.deadline) return true;
  return pti_refuse(PT_ETIME, PTI_OUT_OF_TIME);
}

void pt_set_index_base(int base) { pti_this.index_base = base != 0; }
int pt_index_base(void) { return pti_this.index_base; }

bool pt_set_grad_enabled(bool on) {
  bool was = !pti_this.no_grad;
  pti_this.no_grad = !on || pti_this.inference;
  return was;
}

bool pt_set_inference_mode(bool on) {
  bool was = pti_this.inference;
  pti_this.inference = on;
  if (on) pti_this.no_grad = true;
  return was;
}
bool pt_inference_mode(void) { return pti_this.inference; }
bool pt_grad_enabled(void) { return !pti_this.no_grad; }

double pt_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
