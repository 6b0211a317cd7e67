/* openblas.c: a host that uses OpenBLAS itself, also while a vm does. */
#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ptlua.h"

enum { N = 64 };

static void *multiply(void *failed) {
  float a[N * N], c[N * N];
  for (int i = 0; i < N * N; i++) a[i] = (float)(i % 5);
  for (int k = 0; k < 200; k++) {
    memset(c, 0, sizeof c);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, a, N, 0, c, N);
    float sum = 0;
    for (int l = 0; l < N; l++) sum += a[3 * N + l] * a[l * N + 7];
    if (c[3 * N + 7] != sum) *(int *)failed = 1;
  }
  return NULL;
}

int main(void) {
  static const char code[] =
      "for i = 1, 20 do\n"
      "  local x = pt.randn(40, 40) + 40 * pt.eye(40)\n"
      "  assert((x:matmul(pt.linalg.inv(x)) - pt.eye(40)):abs():max():item() < 1e-4)\n"
      "end";
  pthread_t thread;
  int failed = 0;
  pt_vm *vm = pt_vm_open(NULL);
  multiply(&failed);
  if (pthread_create(&thread, NULL, multiply, &failed) != 0) return 1;
  bool ok = pt_vm_run_string(vm, code, strlen(code), "=spec") == PT_OK;
  if (!ok) printf("%s\n", pt_vm_error(vm));
  pthread_join(thread, NULL);
  pt_vm_close(vm);
  return ok && !failed ? 0 : 1;
}
