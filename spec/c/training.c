/* training.c: networks trained in C: by ops alone, and by functions of the library's Lua, called by name. Both take the
   steps that a script takes, to the bit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ptlua.h"

static int failures;

#define CHECK(what)                                                     \
  do {                                                                  \
    if (!(what)) {                                                      \
      failures++;                                                       \
      printf("%s:%d: %s; %s\n", __FILE__, __LINE__, #what, pt_error()); \
    }                                                                   \
  } while (0)

static const float xs[8] = {0, 0, 0, 1, 1, 0, 1, 1}, ys[4] = {0, 1, 1, 0};

/* The weights of a network 2-8-1, the same as in the script below. */
static void make_weights(pt_tensor **w) {
  const int64_t size[4][2] = {{2, 8}, {1, 8}, {8, 1}, {1, 1}};
  for (int i = 0; i < 4; i++) {
    w[i] = pt_empty(size[i], 2, PT_F32, 0);
    float *at = pt_data_mut(w[i]);
    for (int64_t k = 0; k < pt_numel(w[i]); k++) at[k] = 0.25F * (float)((k * 7 + i * 5) % 9 - 4);
    CHECK(pt_set_requires_grad(w[i], true));
  }
}

static const char script[] =
    "local w = {}\n"
    "for i, s in ipairs { { 2, 8 }, { 1, 8 }, { 8, 1 }, { 1, 1 } } do\n"
    "  w[i] = pt.zeros(s)\n"
    "  for k = 0, w[i]:numel() - 1 do w[i]:view(-1)[k + 1] = 0.25 * ((k * 7 + (i - 1) * 5) % 9 - 4) end\n"
    "  w[i]:requires_grad_()\n"
    "end\n"
    "local x = pt.tensor { { 0., 0. }, { 0., 1. }, { 1., 0. }, { 1., 1. } }\n"
    "local y = pt.tensor { { 0. }, { 1. }, { 1. }, { 0. } }\n"
    "function train(kind)\n"
    "  local o = kind == 'SGD' and pt.optim.SGD(w, { lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.01 })\n"
    "    or pt.optim[kind](w, { lr = 0.02, weight_decay = 0.01 })\n"
    "  for _ = 1, 100 do\n"
    "    o:zero_grad()\n"
    "    pt.mse_loss((x:matmul(w[1]) + w[2]):tanh():matmul(w[3]) + w[4], y):backward()\n"
    "    o:step()\n"
    "  end\n"
    "  return w[1], w[3]\n"
    "end\n";

static bool equal(const pt_tensor *a, const pt_tensor *b) {
  return a && b && memcmp(pt_data(a), pt_data(b), (size_t)pt_numel(a) * sizeof(float)) == 0;
}

static void train(const char *kind) {
  pt_scope outer = pt_scope_begin();
  pt_tensor *w[4], *theirs[2] = {NULL, NULL};
  pt_tensor *x = pt_from_data(xs, (int64_t[]){4, 2}, 2, PT_F32),
            *y = pt_from_data(ys, (int64_t[]){4, 1}, 2, PT_F32);
  make_weights(w);
  pt_optimizer *o = strcmp(kind, "SGD") == 0
      ? pt_sgd_new(w, 4, 0.1, 0.9, 0.01, true)
      : pt_adam_new(w, 4, 0.02, 0.9, 0.999, 1e-8, 0.01, strcmp(kind, "AdamW") == 0);
  for (int i = 0; i < 100; i++) {
    pt_scope scope = pt_scope_begin();
    pt_optimizer_zero_grad(o);
    pt_tensor *h = pt_tanh(pt_add(pt_matmul(x, w[0]), w[1]));
    CHECK(pt_backward(pt_mse_loss(pt_add(pt_matmul(h, w[2]), w[3]), y, "mean")));
    CHECK(pt_optimizer_step(o));
    pt_scope_end(scope);
  }
  pt_optimizer_free(o);
  pt_vm *vm = pt_vm_open(NULL);
  CHECK(pt_vm_run_string(vm, script, strlen(script), "=spec") == PT_OK);
  CHECK(pt_vm_call(vm, "train", "s>TT", kind, &theirs[0], &theirs[1]) == PT_OK);
  CHECK(equal(w[0], theirs[0]) && equal(w[2], theirs[1]));
  pt_vm_close(vm);
  pt_scope_end(outer);
}

static void refusals(void) {
  pt_scope scope = pt_scope_begin();
  pt_tensor *w = pt_ones((int64_t[]){2}, 1, PT_F32, 0), *none = NULL;
  CHECK(pt_sgd_new(&none, 1, 0.1, 0, 0, false) == NULL && pt_error_code() == PT_EARG);
  CHECK(pt_sgd_new(&w, 1, -1, 0, 0, false) == NULL && pt_sgd_new(&w, 1, 1, 0, 0, true) == NULL);
  const double no_adam[][4] = {{-1, 0.9, 0.9, 0}, {1, 1, 0.9, 0},    {1, -0.1, 0.9, 0},
                               {1, 0.9, 1, 0},    {1, 0.9, -0.1, 0}, {1, 0.9, 0.9, -1},
                               {NAN, 0, 0, 0},    {1, 0, NAN, 0}};
  for (int i = 0; i < 8; i++) {
    const double *o = no_adam[i];
    CHECK(pt_adam_new(&w, 1, o[0], o[1], o[2], o[3], 0, false) == NULL);
  }
  CHECK(!pt_optimizer_step(NULL) && pt_error_code() == PT_EARG);
  CHECK(pt_set_requires_grad(w, true));
  pt_tensor *result = pt_neg(w);
  CHECK(pt_sgd_new(&result, 1, 0.1, 0, 0, false) == NULL && pt_error_code() == PT_EGRAD);
  pt_optimizer *o = pt_sgd_new(&w, 1, 0.1, 0, 0, false);
  CHECK(pt_optimizer_step(o) && ((const float *)pt_data(w))[0] == 1); /* no gradient: skipped */
  pt_optimizer_set_lr(o, 0.5);
  CHECK(pt_backward(pt_sum(w, NULL, -1, 0, -1)) && pt_optimizer_step(o));
  CHECK(((const float *)pt_data(w))[0] == 0.5F);
  pt_optimizer_zero_grad(o);
  CHECK(pt_grad(w) == NULL);
  pt_optimizer_free(o);
  pt_optimizer_free(NULL);
  pt_scope_end(scope);
}

/* What is written in Lua is called by its name, without a script: layers' functional forms, modules, anything of pt. */
static void by_name(void) {
  pt_scope scope = pt_scope_begin();
  pt_vm *vm = pt_vm_open(NULL);
  pt_tensor *x = pt_ones((int64_t[]){1, 1, 4, 4}, 4, PT_F32, 0), *y = NULL;
  CHECK(pt_vm_call(vm, "pt.nn.functional.max_pool2d", "Ti>T", x, (int64_t)2, &y) == PT_OK);
  CHECK(pt_size(y, 3) == 2);
  pt_value *options = pt_vm_new(vm, "t"), *layer = NULL;
  CHECK(pt_value_set(options, "kernel_size", "i", (int64_t)3) == PT_OK);
  CHECK(pt_vm_call(vm, "pt.nn.functional.avg_pool2d", "TV>T", x, options, &y) == PT_OK);
  CHECK(pt_size(y, 3) == 1);
  CHECK(pt_vm_call(vm, "pt.nn.Linear", "ii>V", (int64_t)4, (int64_t)2, &layer) == PT_OK);
  CHECK(pt_value_call(layer, "T>T", x, &y) == PT_OK && pt_size(y, 3) == 2);
  CHECK(pt_requires_grad(y) && pt_backward(pt_sum(y, NULL, -1, 0, -1)));
  pt_value_free(options);
  pt_value_free(layer);
  pt_vm_close(vm);
  pt_scope_end(scope);
}

static long long live_tensors(void) {
  pt_memory_stats stats;
  pt_get_memory_stats(&stats);
  return (long long)stats.tensors;
}

int main(void) {
  long long before = live_tensors();
  train("SGD");
  train("Adam");
  train("AdamW");
  refusals();
  CHECK(live_tensors() == before);
  by_name();
  return failures > 0;
}
