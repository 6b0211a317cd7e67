/* autograd.c: hooks, functions with a gradient of the host's own, and checkpoints, from C. Exits with 0 if all holds. */
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

static int freed;
static void count(void *ud) {
  (void)ud;
  freed++;
}

static pt_tensor *leaf(double value) {
  pt_tensor *x = pt_full((int64_t[]){3}, 1, value, PT_F64, 0);
  pt_set_requires_grad(x, true);
  return x;
}
static pt_tensor *total(pt_tensor *x) { return pt_sum(x, NULL, -1, false, -1); }
static double first(pt_tensor *x) { return x ? ((const double *)pt_data(x))[0] : NAN; }

static bool tenfold(void *ud, pt_tensor **g) {
  (void)ud;
  return (*g = pt_mul(*g, pt_scalar(10))) != NULL;
}
static bool refuse(void *ud, pt_tensor **g) {
  (void)ud;
  (void)g;
  return pt_set_error(PT_EARG, "the host says no");
}

static void hooks(void) {
  pt_tensor *x = leaf(2);
  int64_t hook = pt_register_hook(x, false, tenfold, count, NULL);
  CHECK(hook != 0 && pt_backward(total(x)) && first(pt_grad(x)) == 10);
  pt_remove_hook(x, hook);
  CHECK(freed == 1);
  pt_tensor *y = pt_exp(x);
  CHECK(pt_register_hook(y, false, refuse, count, NULL) != 0);
  CHECK(!pt_backward(total(y)) && strcmp(pt_error(), "the host says no") == 0);
  CHECK(first(pt_grad(x)) == 10);
  CHECK(pt_register_hook(y, true, refuse, count, NULL) == 0 && freed == 2);
  y = pt_exp(x);
  CHECK(pt_retain_grad(y) && pt_backward(total(y)) && first(pt_grad(y)) == 1);
}

/* x cubed; ud tells how often the gradient was asked for */
static bool cube_backward(pt_node *call, pt_tensor *const *g, pt_tensor **gx) {
  ++*(int *)pt_function_data(call);
  pt_tensor *x = pt_function_saved(call, 0);
  if (!pt_function_wants(call, 0)) return true;
  return (gx[0] = pt_mul(g[0], pt_mul(pt_scalar(3), pt_mul(x, x)))) != NULL;
}
static const pt_function cube_function = {.name = "cube", .backward = cube_backward, .free = count};

static pt_tensor *cube(pt_tensor *x, int *calls) {
  bool was = pt_set_grad_enabled(false);
  pt_tensor *y = pt_mul(pt_mul(x, x), x);
  pt_set_grad_enabled(was);
  return pt_function_record(&cube_function, calls, &x, 1, &x, 1, &y, 1) ? y : NULL;
}

static void functions(void) {
  int calls = 0;
  freed = 0;
  pt_scope scope = pt_scope_begin();
  pt_tensor *x = leaf(2), *g = NULL, *gg = NULL, *y = total(cube(x, &calls));
  CHECK(pt_grad_of(&y, NULL, 1, &x, 1, PT_CREATE_GRAPH | PT_RETAIN_GRAPH, &g) && first(g) == 12);
  g = total(g);
  CHECK(pt_grad_of(&g, NULL, 1, &x, 1, 0, &gg) && first(gg) == 12);
  CHECK(calls == 1);
  CHECK(!pt_requires_grad(cube(pt_ones((int64_t[]){3}, 1, PT_F64, 0), &calls)));
  y = total(cube(x, &calls));
  CHECK(pt_backward(y) && !pt_backward(y) && pt_error_code() == PT_EGRAD);
  CHECK(pt_function_record(&cube_function, &calls, &x, 1, NULL, 0, &(pt_tensor *){NULL}, 1) ==
        false);
  pt_scope_end(scope);
  CHECK(freed == 4);
}

/* x doubled in place */
static bool twice_backward(pt_node *call, pt_tensor *const *g, pt_tensor **gx) {
  (void)call;
  return (gx[0] = pt_mul(g[0], pt_scalar(2))) != NULL;
}
static const pt_function twice_function = {
    .name = "twice", .backward = twice_backward, .inplace = true};

static bool twice(pt_tensor *x) {
  pt_tensor *y = x;
  ((double *)pt_data(x))[0] *= 2;
  return pt_function_record(&twice_function, NULL, &x, 1, NULL, 0, &y, 1) && y == x;
}

static void edits(void) {
  pt_tensor *x = leaf(3), *y = pt_mul(x, x);
  CHECK(twice(y) && first(y) == 18);
  CHECK(pt_backward(total(y)) && first(pt_grad(x)) == 12);
  CHECK(!twice(leaf(1)) && pt_error_code() == PT_EGRAD);
}

/* What the two runs of a checkpoint have in common. */
typedef struct segment {
  pt_tensor *x, *y;
  int runs;
} segment;

static bool run(void *ud) {
  segment *s = ud;
  s->runs++;
  s->y = pt_exp(pt_sin(pt_exp(s->x)));
  return s->y != NULL;
}

static void checkpoints(void) {
  segment s = {.x = leaf(0.5)};
  CHECK(run(&s) && pt_backward(total(s.y)));
  double want = first(pt_grad(s.x));
  pt_set_grad(s.x, NULL);
  pt_checkpoint *c = pt_checkpoint_begin(run, NULL, &s);
  CHECK(c != NULL && run(&s));
  pt_checkpoint_end(c);
  CHECK(pt_backward(total(s.y)) && first(pt_grad(s.x)) == want && s.runs == 3);
}

int main(void) {
  pt_scope scope = pt_scope_begin();
  hooks();
  functions();
  edits();
  checkpoints();
  pt_scope_end(scope);
  pt_memory_stats m;
  pt_get_memory_stats(&m);
  CHECK(m.tensors == 0 && m.nodes == 0 && m.live_bytes == 0);
  return failures != 0;
}
