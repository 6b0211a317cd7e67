/* vm.c: what pt_vm_* promises when things go wrong: codes and texts, limits, interrupts, and that the vm works on. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ptlua.h"

static int failures, told;

#define CHECK(what)                                                     \
  do {                                                                  \
    if (!(what)) {                                                      \
      failures++;                                                       \
      printf("%s:%d: %s; %s\n", __FILE__, __LINE__, #what, pt_error()); \
    }                                                                   \
  } while (0)

static pt_status run(pt_vm *vm, const char *code) {
  return pt_vm_run_string(vm, code, strlen(code), "=spec");
}

static void on_error(void *ud, pt_status code, const char *message, const char *traceback) {
  ++*(int *)ud;
  CHECK(code != PT_OK && message && traceback);
}

static pt_vm *open_vm(size_t memory_limit, bool no_stdlib) {
  return pt_vm_open(&(pt_vm_config){.size = sizeof(pt_vm_config),
                                    .memory_limit = memory_limit,
                                    .seed = 7,
                                    .no_stdlib = no_stdlib,
                                    .on_error = on_error,
                                    .ud = &told});
}

static void errors(void) {
  pt_vm *vm = open_vm(0, false);
  CHECK(vm != NULL && strcmp(pt_vm_error(vm), "") == 0);
  CHECK(run(vm, "local x = = 1") == PT_ELUA && strstr(pt_vm_error(vm), "spec:1:"));
  CHECK(run(vm, "local function f() error 'why' end f()") == PT_ELUA);
  CHECK(strcmp(pt_vm_error(vm), "spec:1: why") == 0 && strstr(pt_vm_traceback(vm), "spec:1: in"));
  CHECK(run(vm, "error()") == PT_ELUA && strcmp(pt_vm_error(vm), "nil") == 0);
  CHECK(run(vm, "error({})") == PT_ELUA && strstr(pt_vm_error(vm), "error value {}"));
  CHECK(run(vm, "error(setmetatable({}, {__tostring = error}))") == PT_ELUA);
  CHECK(run(vm, "local function f() return f() + 1 end f()") == PT_ELUA);
  CHECK(run(vm, "pt.ones(2, 3):matmul(pt.ones(4, 5))") == PT_ESHAPE);
  CHECK(strstr(pt_vm_error(vm), "matmul") && strstr(pt_vm_error(vm), "spec:1"));
  CHECK(run(vm, "\033Lua") == PT_ELUA && pt_vm_run_string(vm, NULL, 0, NULL) == PT_EARG);
  CHECK(pt_vm_run_file(vm, "spec/no-such-file.lua", 0, NULL) == PT_EIO);
  int before = told;
  CHECK(run(vm, "x = 1") == PT_OK && strcmp(pt_vm_error(vm), "") == 0 && told == before &&
        told > 8);
  CHECK(run(NULL, "x = 1") == PT_EARG);
  pt_vm_close(vm);
  pt_vm_close(NULL);
}

static void calls(void) {
  pt_vm *vm = open_vm(0, false);
  double n = 0;
  int64_t i = 0;
  int b = 0;
  const char *s = NULL;
  pt_tensor *x = pt_ones((int64_t[]){2}, 1, PT_F32, 0), *y = NULL;
  CHECK(run(vm, "t = {u = {f = function(...) return ... end}, no = 3}") == PT_OK);
  pt_status code =
      pt_vm_call(vm, "t.u.f", "nisbT>nisbT", 0.5, INT64_MAX, "word", 1, x, &n, &i, &s, &b, &y);
  CHECK(code == PT_OK && n == 0.5 && i == INT64_MAX && b == 1 && strcmp(s, "word") == 0);
  CHECK(y != NULL && pt_numel(y) == 2);
  CHECK(pt_vm_call(vm, "t.u.f", NULL) == PT_OK);
  CHECK(pt_vm_call(vm, "t.v.f", "") == PT_EARG && strstr(pt_vm_error(vm), "'t.v'"));
  CHECK(pt_vm_call(vm, "t.no", "") == PT_ELUA);
  CHECK(pt_vm_call(vm, "t.u.f", "s>i", "word", &i) == PT_EARG);
  CHECK(strstr(pt_vm_error(vm), "result 1 of 't.u.f' must be an integer, got 'word'"));
  CHECK(pt_vm_call(vm, "t.u.f", "q", 1) == PT_EARG && pt_vm_call(vm, NULL, "") == PT_EARG);
  pt_tensor *wrong = pt_matmul(x, pt_ones((int64_t[]){3}, 1, PT_F32, 0));
  CHECK(wrong == NULL && pt_vm_call(vm, "t.u.f", "T", wrong) == PT_ESHAPE);
  CHECK(pt_index_base() == 0 && pt_grad_enabled());
  CHECK(run(vm, "assert(pt.ones(3):argmax():item() == 1)") == PT_OK && pt_index_base() == 0);
  pt_vm_close(vm);
}

static void limits(void) {
  pt_vm *vm = open_vm(16 << 20, true);
  CHECK(run(vm, "local t = {} for i = 1, 1e9 do t[i] = {} end") == PT_EMEMORY);
  CHECK(strstr(pt_vm_error(vm), "limit") && run(vm, "x = ('x'):rep(1e9)") == PT_EMEMORY);
  CHECK(run(vm, "assert(not (io or os or debug or dofile or loadfile or package.loadlib))") ==
        PT_OK);
  CHECK(run(vm, "assert(not string.dump and not load '\\27Lua')") == PT_OK);
  CHECK(run(vm, "assert(load('return ...', 'x', 'bt', {})(3) == 3)") == PT_OK);
  CHECK(run(vm, "assert(not pcall(require, 'lfs'))") == PT_OK);
  CHECK(run(vm, "assert(pt.ones(2):sum():item() == 2)") == PT_OK);
  pt_vm_close(vm);
  CHECK(pt_vm_open(&(pt_vm_config){0}) == NULL && pt_error_code() == PT_EARG);
  CHECK(open_vm(1000, false) == NULL && pt_error_code() == PT_EMEMORY);
}

typedef struct stopper {
  pt_vm *vm;
  atomic_int done;
} stopper;

static void *stop(void *arg) {
  stopper *s = arg;
  while (!atomic_load(&s->done)) {
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    pt_vm_interrupt(s->vm);
  }
  return NULL;
}

static void stopped(pt_vm *vm, const char *code) {
  stopper s = {.vm = vm};
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, stop, &s) == 0);
  CHECK(run(vm, code) == PT_EINTERRUPT && strstr(pt_vm_error(vm), "interrupted"));
  atomic_store(&s.done, 1);
  pthread_join(thread, NULL);
}

static void interrupts(void) {
  pt_vm *vm = open_vm(0, false);
  stopped(vm, "while true do end");
  stopped(vm, "coroutine.wrap(function() while true do end end)()");
  stopped(vm,
          "local ok, why = coroutine.resume(coroutine.create(function() while true do end end))"
          "assert(not ok) error(why, 0)");
  stopped(vm, "while true do pcall(function() while true do end end) end");
  stopped(vm, "while true do pcall(string.find, ('a'):rep(1000), ('.-'):rep(12) .. 'b') end");
  stopped(vm, "local x = pt.ones(300, 300) while true do x = x:matmul(x):clamp(0, 1) end");
  pt_vm_interrupt(vm); /* nothing runs: nothing happens */
  CHECK(run(vm,
            "local f = coroutine.wrap(function(...) coroutine.yield(...) error 'why' end)\n"
            "assert(select('#', f(1, nil, 3)) == 3)\n"
            "local ok, why = pcall(f)\n"
            "assert(not ok and why:find 'why')\n"
            "assert(not pcall(f) and not pcall(coroutine.resume))\n"
            "assert(not coroutine.resume(coroutine.running()))") == PT_OK);
  pt_vm_close(vm);
}

/* A run that was stopped in a hook, on the vm's own thread, is over for the coroutines of the next one. */
static void after_limits(void) {
  pt_vm *vm =
      pt_vm_open(&(pt_vm_config){.size = sizeof(pt_vm_config), .instruction_limit = 1000000});
  CHECK(run(vm, "while true do end") == PT_ETIME);
  CHECK(run(vm,
            "local closed\n"
            "local f = coroutine.wrap(function()\n"
            "  local x <close> = setmetatable({}, {__close = function() closed = true end})\n"
            "  error 'why'\n"
            "end)\n"
            "assert(not pcall(f) and closed)") == PT_OK);
  pt_vm_close(vm);
}

/* What an interrupt leaves behind goes on while its vm, with the memory that it is counted on, is closed. */
static void left_behind(void) {
  pt_vm *vm = open_vm((size_t)256 << 20, false);
  stopped(vm, "pt.linalg.eig(pt.randn(1000, 1000))");
  CHECK(run(vm, "assert(pt.ones(2, 2):inverse():sum():item() ~= 0)") != PT_OK);
  CHECK(run(vm, "assert(pt.eye(2):inverse():sum():item() == 2)") == PT_OK);
  pt_vm_close(vm);
}

static pt_vm *inner;
static void nest(void *ud) { *(pt_status *)ud = run(inner, "error 'inner'"); }

/* A vm may run inside a call of another. */
static void nested(void) {
  pt_vm *outer = open_vm(0, false);
  pt_status code = PT_OK;
  inner = open_vm(0, false);
  pt_scope scope = pt_scope_begin();
  float data[1] = {1};
  pt_tensor *x = pt_from_host(data, (int64_t[]){1}, 1, PT_F32, nest, &code);
  CHECK(run(outer, "function keep(x) held = x end") == PT_OK);
  CHECK(pt_vm_call(outer, "keep", "T", x) == PT_OK);
  pt_scope_end(scope);
  CHECK(run(outer, "held = nil collectgarbage() assert(pt.ones(3):argmax():item() == 1)") == PT_OK);
  CHECK(code == PT_ELUA);
  pt_vm_close(outer);
  pt_vm_close(inner);
}

int main(void) {
  pt_scope scope = pt_scope_begin();
  errors();
  calls();
  limits();
  interrupts();
  after_limits();
  left_behind();
  nested();
  pt_scope_end(scope);
  return failures > 0;
}
