/* host_api.c: what a host and its scripts say to each other: values, functions of the host, tensors without copies, tasks
   that run a little at a time, output, modules and files that the host provides. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ptlua.h"

static int failures;

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

static void values(void) {
  pt_vm *vm = pt_vm_open(NULL);
  CHECK(run(vm,
            "t = {a = {10, 20, {c = 'deep'}}, n = 1.5, i = 7, yes = true, x = pt.ones(2)}\n"
            "function f(...) return select('#', ...), ... end") == PT_OK);
  static const struct {
    const char *path;
    pt_type type;
  } types[] = {{"t", PT_TABLE},         {"t.a[3].c", PT_STRING}, {"t.n", PT_NUMBER},
               {"t.i", PT_INTEGER},     {"t.yes", PT_BOOLEAN},   {"t.x", PT_TENSOR},
               {"f", PT_FUNCTION},      {"nothing", PT_NIL},     {"t.a[9]", PT_NIL},
               {"pt.float32", PT_OTHER}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    pt_value *v = pt_vm_get(vm, types[i].path);
    CHECK(v != NULL && pt_value_type(v) == types[i].type);
    pt_value_free(v);
  }
  CHECK(pt_vm_get(vm, "t.b.c") == NULL && strstr(pt_vm_error(vm), "there is no 't.b'"));
  CHECK(pt_vm_get(vm, "t..a") == NULL && pt_vm_get(vm, "t.") == NULL &&
        pt_vm_get(vm, "t[x]") == NULL);
  pt_value *t = pt_vm_get(vm, "t"), *a = pt_value_get(t, "a"), *key = NULL, *value = NULL,
           *back = NULL;
  CHECK(pt_value_length(a) == 3 && pt_value_length(t) == 0);
  double n = 0, sum = 0;
  int count = 0;
  while (pt_value_next(a, &key, &value)) {
    if (pt_value_type(value) == PT_INTEGER && pt_value_read(value, "n", &n) == PT_OK) sum += n;
    count++;
  }
  CHECK(count == 3 && sum == 30 && key == NULL && value == NULL);
  CHECK(pt_value_set(t, "new.table[1].x", "n", 0.25) == PT_OK);
  CHECK(run(vm, "assert(t.new.table[1].x == 0.25)") == PT_OK);
  CHECK(pt_vm_set(vm, "bytes", "S", "a\0b", (size_t)3) == PT_OK &&
        run(vm, "assert(bytes == 'a\\0b')") == PT_OK);
  pt_value *f = pt_vm_get(vm, "f");
  int64_t many = 0, i = 0;
  const char *s = NULL;
  size_t length = 0;
  CHECK(pt_value_call(f, "nzVtS>iVV", 1.5, t, "x\0y", (size_t)3, &many, &key, &back) == PT_OK &&
        many == 5);
  CHECK(pt_value_read(key, "n", &n) == PT_OK && n == 1.5 && pt_value_type(back) == PT_NIL);
  CHECK(pt_value_read(t, "i", &i) == PT_EARG && strstr(pt_vm_error(vm), "an integer, got a table"));
  CHECK(pt_value_call(f, "S>iS", "x\0y", (size_t)3, &many, &s, &length) == PT_OK && length == 3 &&
        s[2] == 'y');
  CHECK(pt_value_call(t, "") == PT_ELUA && pt_value_call(NULL, "") == PT_EARG);
  CHECK(run(vm, "error({code = 5, why = 'full'})") == PT_ELUA);
  CHECK(strstr(pt_vm_error(vm), "code = 5") && strstr(pt_vm_error(vm), "why = 'full'"));
  pt_value *code = pt_value_get(pt_vm_error_value(vm), "code");
  CHECK(code != NULL && pt_value_read(code, "i", &i) == PT_OK && i == 5);
  CHECK(run(vm, "\nlocal x = nil + 1") == PT_ELUA && strcmp(pt_vm_error_line(vm), "spec:2") == 0);
  CHECK(run(vm, "error({message = 'told'})") == PT_ELUA && strcmp(pt_vm_error(vm), "told") == 0);
  pt_vm_close(vm);
  CHECK(pt_value_type(t) == PT_NIL && pt_value_call(f, "") == PT_EARG &&
        pt_value_get(t, "a") == NULL);
  pt_value *all[] = {t, a, key, back, f, code};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) pt_value_free(all[k]);
}

static pt_value *kept;
static bool add(pt_call *c, void *ud) {
  *(int *)ud += 1;
  return pt_call_return(c, pt_call_number(c, 0) + (pt_call_has(c, 1) ? pt_call_number(c, 1) : 100),
                        "sum");
}
static bool keep_function(pt_call *c, void *ud) {
  return (void)ud, (kept = pt_call_value(c, 0)) != NULL;
}
static bool refuse(pt_call *c, void *ud) {
  return (void)c, (void)ud, pt_set_error(PT_EINDEX, "no such place");
}
static bool twice(pt_call *c, void *ud) {
  (void)ud;
  return pt_index_base() == 0 && pt_call_return(c, pt_mul(pt_call_tensor(c, 0), pt_scalar(2)));
}

/* Each type as it was given; a string with the zero within it. */
static bool read_each(pt_call *c, void *ud) {
  size_t length = 0;
  const char *s = pt_call_string(c, 2, &length);
  *(bool *)ud = pt_call_count(c) == 3 && pt_call_integer(c, 0) == (int64_t)1 << 60 &&
      pt_call_boolean(c, 1) && length == 3 && memcmp(s, "a\0b", 3) == 0 &&
      pt_call_string(c, 2, NULL) == s;
  return true;
}

static void functions(void) {
  pt_vm *vm = pt_vm_open(NULL);
  bool each = false;
  int calls = 0;
  double n = 0;
  CHECK(pt_vm_register(vm, "game.math.add", add, &calls, "nn?>ns") == PT_OK);
  CHECK(pt_vm_register(vm, "keep", keep_function, NULL, "V") == PT_OK);
  CHECK(pt_vm_register(vm, "refuse", refuse, NULL, "") == PT_OK);
  CHECK(pt_vm_register(vm, "twice", twice, NULL, "T>T") == PT_OK);
  CHECK(pt_vm_register(vm, "each", read_each, &each, "ibs") == PT_OK);
  CHECK(run(vm, "each(1 << 60, true, 'a\\0b')") == PT_OK && each);
  CHECK(pt_vm_register(vm, "bad", add, NULL, "q") == PT_EARG &&
        pt_vm_register(vm, "bad", NULL, NULL, "") == PT_EARG);
  CHECK(
      run(vm,
          "local s, t = game.math.add(1, 2) assert(s == 3 and t == 'sum') assert(game.math.add(1) == 101)") ==
          PT_OK &&
      calls == 2);
  CHECK(run(vm, "game.math.add('x')") == PT_EARG &&
        strstr(pt_vm_error(vm), "game.math.add: argument 1 must be a number, got 'x' (spec:1)"));
  CHECK(run(vm, "game.math.add(1, 2, 3)") == PT_EARG && calls == 2);
  CHECK(run(vm, "refuse()") == PT_EINDEX &&
        strstr(pt_vm_error(vm), "refuse: no such place (spec:1)"));
  CHECK(run(vm, "assert(twice(pt.ones(3)):sum():item() == 6)") == PT_OK);
  CHECK(run(vm, "local n = 0 keep(function(by) n = n + by return n end)") == PT_OK);
  CHECK(pt_value_call(kept, "n>n", 2.0, &n) == PT_OK &&
        pt_value_call(kept, "n>n", 3.0, &n) == PT_OK && n == 5);
  pt_vm_close(vm);
  pt_value_free(kept);
}

static int released;
static void release(void *ud) { ++*(int *)ud; }

static void tensors(void) {
  pt_scope scope = pt_scope_begin();
  float data[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  double n = 0;
  released = 0;
  /* every second column of a matrix of 3 by 4, transposed */
  pt_tensor *x = pt_from_host_strided(data, (int64_t[]){2, 3}, (int64_t[]){2, 4}, 2, PT_F32,
                                      release, &released);
  CHECK(x && pt_item(pt_sum(x, NULL, -1, 0, -1), &n) && n == 0 + 2 + 4 + 6 + 8 + 10);
  pt_vm *vm = pt_vm_open(NULL);
  CHECK(run(vm, "function f(x) assert(x.shape[1] == 2) x:add_(1) held = x end") == PT_OK &&
        pt_vm_call(vm, "f", "T", x) == PT_OK);
  CHECK(data[0] == 1 && data[1] == 1 && data[2] == 3 && pt_data(x) == data);
  struct DLManagedTensorVersioned *out = pt_to_dlpack(x);
  pt_tensor *y = pt_from_dlpack(out);
  CHECK(y && pt_data(y) == data && pt_stride(y, 0) == 2 && pt_size(y, 1) == 3);
  pt_tensor *z = pt_from_dlpack_unversioned(pt_to_dlpack_unversioned(x));
  CHECK(z && pt_data(z) == data);
  pt_tensor *g = pt_ones((int64_t[]){1}, 1, PT_F32, 0);
  CHECK(pt_set_requires_grad(g, true) && pt_to_dlpack(g) == NULL && pt_error_code() == PT_EGRAD);
  CHECK(pt_from_host_strided(data, (int64_t[]){2}, (int64_t[]){-1}, 1, PT_F32, release,
                             &released) == NULL &&
        released == 1);
  CHECK(pt_from_dlpack(NULL) == NULL && pt_to_dlpack(NULL) == NULL);
  pt_scope_end(scope);
  CHECK(released == 1); /* the script holds it */
  pt_vm_close(vm);
  CHECK(released == 2);
}

static void steps(void) {
  pt_vm *vm = pt_vm_open(NULL);
  CHECK(pt_vm_step(vm, 1000) == -1 && pt_error_code() == PT_EARG);
  CHECK(
      run(vm,
          "n = 0 function train(steps)\n"
          "  local w <const> = pt.zeros(64, 64, {requires_grad = true})\n"
          "  local guard <close> = pt.no_grad()\n"
          "  for i = 1, steps do n = i pcall(function() local y = w:matmul(w) assert(not y.requires_grad) end) end\n"
          "  return 'done'\nend\n"
          "function fail() coroutine.yield() error 'late' end") == PT_OK);
  CHECK(pt_vm_start(vm, "train", "i", (int64_t)2000) == PT_OK);
  int more, frames = 0;
  while ((more = pt_vm_step(vm, 500)) == 1) {
    frames++;
    if (!pt_grad_enabled() ||
        run(vm, "assert(pt.ones(1, {requires_grad = true}):exp().requires_grad)") != PT_OK)
      failures++;
  }
  CHECK(more == 0 && frames > 1 && run(vm, "assert(n == 2000)") == PT_OK);
  CHECK(pt_vm_start(vm, "fail", "") == PT_OK && pt_vm_step(vm, 0) == 1 &&
        pt_vm_step(vm, 1000) == -1);
  CHECK(strstr(pt_vm_error(vm), "late") && strstr(pt_vm_traceback(vm), "spec:"));
  CHECK(pt_vm_start(vm, "nobody", "") == PT_EARG &&
        pt_vm_start(vm, "train", "i", (int64_t)1000000) == PT_OK);
  CHECK(pt_vm_step(vm, 100) == 1);
  pt_vm_close(vm); /* in the middle */
}

static char printed[256], logged[64];
static void on_print(void *ud, const char *text, size_t length) {
  (void)ud;
  snprintf(printed, sizeof printed, "%.*s", (int)length, text);
}
static void on_log(void *ud, const char *text) {
  (void)ud;
  snprintf(logged, sizeof logged, "%s", text);
}
static const char *find_module(void *ud, const char *name, size_t *length) {
  (void)ud;
  static const char source[] = "return {name = ...}";
  *length = strlen(source);
  return strcmp(name, "host.module") == 0 ? source : NULL;
}
static char folder[] = "/tmp/ptlua-host-XXXXXX";
static int open_file(void *ud, const char *path, pt_open_mode mode) {
  (void)ud;
  static const int flags[] = {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_APPEND,
                              O_RDONLY | O_DIRECTORY};
  char full[256];
  if (strchr(path, '/')) return -1;
  snprintf(full, sizeof full, "%s/%s", folder, path);
  return open(full, flags[mode] | O_CLOEXEC, 0600);
}
static _Atomic int64_t given;
static void *allocate(void *ud, void *block, size_t old_size, size_t size) {
  (void)ud;
  given += (int64_t)size - (int64_t)old_size;
  if (size) return realloc(block, size);
  free(block);
  return NULL;
}

static void callbacks(void) {
  CHECK(mkdtemp(folder) != NULL);
  pt_vm *vm = pt_vm_open(&(pt_vm_config){.size = sizeof(pt_vm_config),
                                         .sandbox = PT_SANDBOX_PURE,
                                         .on_print = on_print,
                                         .on_log = on_log,
                                         .find_module = find_module,
                                         .open_file = open_file,
                                         .alloc = allocate,
                                         .threads = 1});
  CHECK(vm != NULL && given > 100000);
  CHECK(run(vm, "print('a', 1, nil, {})") == PT_OK && strcmp(printed, "a\t1\tnil\ttable\n") == 0);
  CHECK(run(vm, "warn('@on') warn('mind ', 'the gap')") == PT_OK &&
        strcmp(logged, "mind the gap") == 0);
  CHECK(
      run(vm,
          "assert(require('host.module').name == 'host.module') assert(not pcall(require, 'nothing'))") ==
      PT_OK);
  CHECK(
      run(vm,
          "pt.save({x = pt.ones(3)}, 'x.safetensors') assert(pt.load('x.safetensors').x:sum():item() == 3)") ==
      PT_OK);
  CHECK(run(vm, "pt.load('/etc/passwd')") == PT_EIO && run(vm, "pt.load('../x')") == PT_EIO);
  FILE *script = fdopen(open_file(NULL, "script.lua", PT_OPEN_WRITE), "w");
  CHECK(script &&
        fputs("#!/usr/bin/env ptlua\nran = arg[0] .. ... .. arg[1]\nreturn nil .. 1\n", script) >
            0 &&
        fclose(script) == 0);
  CHECK(pt_vm_run_file(vm, "script.lua", 1, (const char *[]){"x"}) == PT_ELUA &&
        strcmp(pt_vm_error_line(vm), "script.lua:3") == 0);
  CHECK(run(vm, "assert(ran == 'script.luaxx')") == PT_OK);
  CHECK(pt_vm_run_file(vm, "/etc/hostname", 0, NULL) == PT_EIO); /* there, but not for this vm */
  int64_t before = given;
  CHECK(run(vm, "big = pt.ones(1000000)") == PT_OK && given >= before + 4000000);
  pt_vm_close(vm);
  CHECK(given == 0);
  char file[256];
  snprintf(file, sizeof file, "%s/x.safetensors", folder);
  CHECK(unlink(file) == 0);
  snprintf(file, sizeof file, "%s/script.lua", folder);
  CHECK(unlink(file) == 0 && rmdir(folder) == 0);
}

static void limits(void) {
  pt_vm *vm =
      pt_vm_open(&(pt_vm_config){.size = sizeof(pt_vm_config), .instruction_limit = 1000000});
  CHECK(run(vm, "for i = 1, 1e9 do end") == PT_ETIME &&
        strstr(pt_vm_error(vm), "1000000 instructions"));
  CHECK(run(vm, "for i = 1, 1e5 do end") == PT_OK && run(vm, "for i = 1, 1e5 do end") == PT_OK);
  pt_vm_close(vm);
  static const pt_vm_config wrong[] = {{.size = sizeof(pt_vm_config), .threads = -1},
                                       {.size = sizeof(pt_vm_config), .sandbox = (pt_sandbox)9},
                                       {.size = sizeof(pt_vm_config), .time_limit_ms = -1}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK(pt_vm_open(&wrong[i]) == NULL && pt_error_code() == PT_EARG);
}

/* Opened here, used there, closed in any order. */
static void *use(void *arg) {
  int64_t n = 0;
  for (int i = 0; i < 20; i++) {
    pt_vm *mine = pt_vm_open(NULL);
    if (run(mine, "function f(n) return n + pt.ones(2):sum():item() end") != PT_OK ||
        pt_vm_call(mine, "f", "i>i", (int64_t)i, &n) != PT_OK || n != i + 2)
      return mine;
    pt_vm_close(mine);
  }
  if (pt_vm_call(arg, "f", "i>i", (int64_t)1, &n) == PT_OK && n == 3) pt_vm_close(arg);
  return NULL;
}

static void threads(void) {
  enum { N = 4 };
  pthread_t thread[N];
  for (int i = 0; i < N; i++) {
    pt_vm *vm = pt_vm_open(NULL);
    CHECK(run(vm, "function f(n) return n + pt.ones(2):sum():item() end") == PT_OK);
    CHECK(pthread_create(&thread[i], NULL, use, vm) == 0);
  }
  for (int i = 0; i < N; i++) {
    void *failed = NULL;
    pthread_join(thread[i], &failed);
    CHECK(failed == NULL);
  }
}

/* Between two steps the library is whole, wherever the task was stopped: also while a part of it is loaded. */
static void call_after(int steps, int64_t idle) {
  static const char code[] =
      "function task(n) for _ = 1, n do end return pt.nn.functional.conv1d(pt.ones(1, 1, 4), pt.ones(1, 1, 2)) end\n"
      "function other() return pt.nn.functional.relu(pt.ones(1)) end";
  pt_vm *vm = pt_vm_open(NULL);
  int more = 1;
  CHECK(run(vm, code) == PT_OK && pt_vm_start(vm, "task", "i", idle) == PT_OK);
  for (int i = 0; more == 1 && i < steps; i++) more = pt_vm_step(vm, 0);
  CHECK(more >= 0 && pt_vm_call(vm, "other", "") == PT_OK);
  while (more == 1) more = pt_vm_step(vm, 1000);
  CHECK(more == 0);
  pt_vm_close(vm);
}

static void steps_and_calls(void) {
  for (int i = 0; i < 100 && failures == 0; i++) call_after(1 + i % 5, 3 * (i / 5));
}

int main(void) {
  pt_scope scope = pt_scope_begin();
  values();
  functions();
  tensors();
  steps();
  steps_and_calls();
  callbacks();
  limits();
  threads();
  pt_scope_end(scope);
  return failures > 0;
}
