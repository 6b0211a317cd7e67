/* sums.c: how far sums, and what is made of them, are from the truth: reductions, products, convolutions, attention,
   normalisation, losses, for several sizes, each floating dtype, on each CPU level of this machine. The error counts in units
   in the last place of a scale that accuracy/sums.def gives for each element, mostly the sum of the terms' sizes: such a
   sum is right, whatever cancels in it, if each of its terms is right to so many units. Prints a row of a Markdown table for
   each op and size: the largest error, and for which operands. Exits with 0 if every error is within what sums.def allows.
   usage: sums [REPEATS [NAME ...]]      REPEATS: how often operands are drawn; above 1, of the largest size, too */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy/kinds.h"

/* ---- rows ---- */

enum { EVEN = 1, SIZES = 2, OPPOSITE = 4, FAR = 8, AROUND_1 = 16 };
static const struct {
  int set;
  const char *name;
} sets[] = {
    {EVEN, "even"}, {SIZES, "sizes"}, {OPPOSITE, "opposite"}, {FAR, "far"}, {AROUND_1, "around 1"}};
enum { SETS = sizeof sets / sizeof *sets };

typedef struct range {
  double low, high;
  int sets;
} range;

/* A line of a, and what is known of it. */
typedef struct line {
  const double *a;
  int64_t n, number;
  wide mean, size, most, s, S;
} line;
typedef struct place {
  wide x, y, z, s_here, S_here;
} place;
typedef struct point {
  wide truth, beside;
} point;

typedef enum form { LINES, PRODUCTS, EACHES, PAIRS, WINDOWS, LOOKS } form;
typedef enum way { FORWARD, TRANSPOSED } way;

typedef struct row {
  const char *name, *code;
  form form;
  range operand[3];
  point (*term)(const place *p, const line *l);
  point (*value)(const place *p, const line *l);
  int height, kernel, groups;
  way way;
  double limit[3]; /* of float32, float64, halves */
} row;

#define SCOPE                                                                                    \
  const wide x = p->x, y = p->y, z = p->z, s_here = p->s_here, S_here = p->S_here;               \
  const wide mean = l->mean, size = l->size, most = l->most, s = l->s, S = l->S, n = (wide)l->n; \
  (void)x, (void)y, (void)z, (void)s_here, (void)S_here, (void)mean, (void)size, (void)most;     \
  (void)s, (void)S, (void)n;
#define SIZE fabsl(term)
#define AT(j) ((wide)l->a[j])
#define JOIN(name, line) JOIN_(name, line)
#define JOIN_(name, line) name##line

/* The two functions of a row, named by the line of sums.def on which it stands. */
#define LINE(name, lua, operands, value_of_term, beside, value, scale, f, d, h) \
  static point JOIN(term_, __LINE__)(const place *p, const line *l) {           \
    SCOPE const wide term = value_of_term;                                      \
    return (point){term, beside};                                               \
  }                                                                             \
  static point JOIN(value_, __LINE__)(const place *p, const line *l) {          \
    SCOPE return (point){value, scale};                                         \
  }
#define TIMES LINE
#define EACH LINE
#define PAIR(...)
#define WINDOW(...)
#define LOOK(...)
#include "accuracy/sums.def"
#undef LINE
#undef TIMES
#undef EACH
#undef PAIR
#undef WINDOW
#undef LOOK
#define LINE(name, lua, operands, term, beside, value, scale, f, d, h)              \
  {#name, lua, LINES, {operands}, JOIN(term_, __LINE__), JOIN(value_, __LINE__), 0, \
   0,     0,   0,     {f, d, h}},
#define TIMES(name, lua, operands, term, beside, value, scale, f, d, h)                \
  {#name, lua, PRODUCTS, {operands}, JOIN(term_, __LINE__), JOIN(value_, __LINE__), 0, \
   0,     0,   0,        {f, d, h}},
#define EACH(name, lua, operands, term, beside, value, scale, f, d, h)               \
  {#name, lua, EACHES, {operands}, JOIN(term_, __LINE__), JOIN(value_, __LINE__), 0, \
   0,     0,   0,      {f, d, h}},
#define PAIR(name, lua, f, d, h) {#name, lua, PAIRS, {ANY ANY}, NULL, NULL, 0, 0, 0, 0, {f, d, h}},
#define WINDOW(name, lua, height, kernel, groups, way, f, d, h) \
  {#name, lua, WINDOWS, {SPREAD SPREAD EVENLY}, NULL, NULL, height, kernel, groups, way, {f, d, h}},
#define LOOK(name, lua, f, d, h) \
  {#name, lua, LOOKS, {SMALL SMALL SPREAD}, NULL, NULL, 0, 0, 0, 0, {f, d, h}},
static const row rows[] = {
#include "accuracy/sums.def"
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- operands ---- */

enum { OPERANDS = 3, MAX_DIM = 4, SIDE = 28, BATCH = 2, WIDTH = 64 };

typedef struct operand {
  int nd;
  int64_t size[MAX_DIM], count;
  double *at;
  void *bytes; /* the same in the dtype */
} operand;

/* One call: `lines` times `width` results, each of n terms. */
typedef struct task {
  const row *r;
  const kind *k;
  int64_t n, lines, width;
  operand x[OPERANDS];
} task;

static void fail(const char *name, const char *what) {
  printf("%s: %s; %s\n", name, what, pt_error());
  exit(1);
}

static void shape(operand *x, int nd, const int64_t *size) {
  x->nd = nd;
  x->count = 1;
  for (int i = 0; i < nd; i++) x->count *= x->size[i] = size[i];
}
#define SHAPE(x, ...) \
  shape(x, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static void shape_windows(task *t, int64_t channels) {
  const row *r = t->r;
  int64_t kh = r->height > 1 ? r->kernel : 1, kw = r->kernel;
  int64_t each = r->groups ? channels : 1;
  SHAPE(&t->x[0], BATCH, channels, r->height, SIDE);
  SHAPE(&t->x[1], channels, each, kh, kw);
  SHAPE(&t->x[2], channels);
  t->n = each * kh * kw;
  t->lines = BATCH * channels;
  t->width = r->height * SIDE;
}

/* Sizes of the row's operands: small, medium, large. */
static void shape_task(task *t, int which) {
  static const int64_t n_line[] = {100, 10000, 1000000}, lines[] = {64, 8, 1};
  static const int64_t n_pair[] = {64, 512, 4096}, sides[] = {64, 512, 64};
  static const int64_t channels[] = {4, 32, 128};
  form f = t->r->form;
  if (f == WINDOWS) {
    shape_windows(t, channels[which]);
  } else if (f == PAIRS) {
    t->n = n_pair[which], t->lines = t->width = sides[which];
    SHAPE(&t->x[0], t->lines, t->n);
    SHAPE(&t->x[1], t->width, t->n);
    SHAPE(&t->x[2], t->width);
  } else if (f == LOOKS) {
    t->n = t->lines = n_pair[which], t->width = WIDTH;
    for (int i = 0; i < OPERANDS; i++) SHAPE(&t->x[i], 1, 1, t->n, WIDTH);
  } else {
    t->n = n_line[which], t->lines = lines[which], t->width = f == EACHES ? t->n : 1;
    SHAPE(&t->x[0], t->lines, t->n);
    SHAPE(&t->x[1], t->lines, t->n);
    SHAPE(&t->x[2], t->n);
  }
}

static double draw(const kind *k, const range *r, int set, int64_t n) {
  double even = r->low + share() * (r->high - r->low);
  if (set == EVEN) return even;
  if (set == FAR) return even + (r->high > 1 ? 1000 : is_half(k) ? 64 : 1024);
  if (set == AROUND_1) return exp2((2 * share() - 1) * fmin(1, 4 / sqrt((double)n)));
  double span = k->most == 16 ? 4 : 12, size = exp2((2 * share() - 1) * span);
  return r->low < 0 && next_random() & 1 ? -size : size;
}

/* Makes the second half of a line nearly the first one's opposite, and mixes them. */
static void oppose(double *at, int64_t n) {
  for (int64_t i = 0; i < n / 2; i++) at[n - 1 - i] = -at[i] * (1 + share() / 64);
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t j = (int64_t)(next_random() % (uint64_t)(i + 1));
    double v = at[i];
    at[i] = at[j], at[j] = v;
  }
}

static void fill(const task *t, operand *x, const range *given, int set) {
  static const range usual = {-1, 1, EVEN};
  const range *r = given->sets ? given : &usual;
  int own = r->sets & set ? set : set == OPPOSITE && r->sets & FAR ? FAR : EVEN;
  x->at = malloc((size_t)x->count * sizeof *x->at);
  x->bytes = malloc((size_t)x->count * pt_dtype_size(t->k->dtype));
  if (x->at == NULL || x->bytes == NULL) fail(t->r->name, "no memory");
  for (int64_t i = 0; i < x->count; i++) x->at[i] = draw(t->k, r, own, t->n);
  int64_t n = x->size[x->nd - 1];
  if (own == OPPOSITE)
    for (int64_t i = 0; i < x->count; i += n) oppose(x->at + i, n);
  for (int64_t i = 0; i < x->count; i++) {
    store(t->k, x->bytes, i, x->at[i]);
    x->at[i] = load(t->k->dtype, x->bytes, i);
  }
}

/* ---- the truth of a line of results; sums of sizes, which are a scale, need no more than long double ---- */

static place place_of(const task *t, int64_t i, int64_t k) {
  return (place){t->x[0].at[i * t->n + k], t->x[1].at[i * t->n + k], t->x[2].at[k], 0, 0};
}

static void true_line(const task *t, int64_t i, point *out) {
  const row *r = t->r;
  int64_t n = t->n;
  bool times = r->form == PRODUCTS || strcmp(r->name, "cumprod") == 0;
  line l = {.a = t->x[0].at + i * n, .n = n, .number = i, .most = -HUGE_VALL};
  widest sum = 0, s = times;
  wide sizes = 0, S = times;
  for (int64_t k = 0; k < n; k++) {
    sum += l.a[k], sizes += fabs(l.a[k]);
    l.most = fmaxl(l.most, l.a[k]);
  }
  l.mean = (wide)(sum / n), l.size = sizes / (wide)n;
  for (int64_t k = 0; k < n; k++) {
    place p = place_of(t, i, k);
    point term = r->term(&p, &l);
    s = times ? s * term.truth : s + term.truth;
    S = times ? S * term.beside : S + term.beside;
    if (r->form == EACHES) out[k] = (point){(wide)s, S};
  }
  l.s = (wide)s, l.S = S;
  for (int64_t k = 0; k < t->width; k++) {
    place p = place_of(t, i, k);
    p.s_here = out[k].truth, p.S_here = out[k].beside;
    out[k] = r->value(&p, &l);
  }
}

static void true_pairs(const task *t, int64_t i, point *out) {
  for (int64_t j = 0; j < t->width; j++) {
    widest s = 0;
    wide S = 0;
    for (int64_t k = 0; k < t->n; k++) {
      wide term = (wide)t->x[0].at[i * t->n + k] * t->x[1].at[j * t->n + k];
      s += term, S += fabsl(term);
    }
    out[j] = (point){(wide)s, S};
  }
}

/* The plane of one image and output channel. */
static void true_windows(const task *t, int64_t i, point *out) {
  const int64_t *x = t->x[0].size, *w = t->x[1].size;
  int64_t channels = x[1], each = w[1], to = i % channels, image = i / channels;
  int64_t ph = w[2] / 2, pw = w[3] / 2;
  for (int64_t at = 0; at < t->width; at++) {
    widest s = t->x[2].at[to];
    wide S = fabs(t->x[2].at[to]);
    for (int64_t c = 0; c < each; c++)
      for (int64_t u = 0; u < w[2]; u++)
        for (int64_t v = 0; v < w[3]; v++) {
          bool back = t->r->way == TRANSPOSED;
          int64_t y = at / SIDE + (back ? ph - u : u - ph);
          int64_t z = at % SIDE + (back ? pw - v : v - pw);
          if (y < 0 || y >= x[2] || z < 0 || z >= x[3]) continue;
          int64_t from = each == 1 && channels > 1 && t->r->groups == 0 ? to : c;
          int64_t tap = back ? from * channels + to : to * each + c;
          wide term = (wide)t->x[0].at[((image * channels + from) * x[2] + y) * x[3] + z] *
              t->x[1].at[(tap * w[2] + u) * w[3] + v];
          s += term, S += fabsl(term);
        }
    out[at] = (point){(wide)s, S};
  }
}

/* The query i. A key's weight is as uncertain as the terms of its score are large. */
static void true_look(const task *t, int64_t i, point *out) {
  const double *q = t->x[0].at + i * WIDTH, *v = t->x[2].at;
  wide *score = malloc((size_t)t->n * 2 * sizeof *score), *size = score + t->n, most = -HUGE_VALL;
  widest total = 0;
  if (score == NULL) fail(t->r->name, "no memory");
  for (int64_t j = 0; j < t->n; j++) {
    widest s = 0;
    wide S = 0;
    for (int64_t k = 0; k < WIDTH; k++) {
      wide term = (wide)q[k] * t->x[1].at[j * WIDTH + k];
      s += term, S += fabsl(term);
    }
    score[j] = (wide)s / sqrtl(WIDTH), size[j] = (wide)S / sqrtl(WIDTH);
    most = fmaxl(most, score[j]);
  }
  for (int64_t j = 0; j < t->n; j++) total += score[j] = expl(score[j] - most);
  for (int64_t c = 0; c < WIDTH; c++) {
    widest s = 0;
    wide S = 0;
    for (int64_t j = 0; j < t->n; j++) {
      wide term = score[j] * v[j * WIDTH + c];
      s += term, S += fabsl(term) * (1 + size[j]);
    }
    out[c] = (point){(wide)(s / total), S / (wide)total};
  }
  free(score);
}

static void true_results(const task *t, int64_t i, point *out) {
  if (t->r->form == PAIRS) true_pairs(t, i, out);
  else if (t->r->form == WINDOWS) true_windows(t, i, out);
  else if (t->r->form == LOOKS) true_look(t, i, out);
  else true_line(t, i, out);
}

/* ---- measuring ---- */

typedef struct found {
  double error;
  const char *set, *level;
} found;

static pt_vm *vm;
static const char *first_level;

static const char prelude[] =
    "F = pt.nn.functional\n"
    "function direct(f)\n" /* without Winograd's method */
    "  pt.set_conv_winograd(false)\n"
    "  local y = f()\n"
    "  pt.set_conv_winograd(true)\n"
    "  return y\n"
    "end\n"
    "function ids(x) return pt.arange(0, x:size(1)) * 7 % x:size(2) + 1 end\n"
    "function each(x, y, loss)\n"
    "  local of = {}\n"
    "  for i = 1, x:size(1) do of[i] = loss(x:select(1, i), y:select(1, i)):reshape(1) end\n"
    "  return pt.cat(of)\n"
    "end\n";

static void run(const char *name, const char *code) {
  if (pt_vm_run_string(vm, code, strlen(code), "=sums") != PT_OK) fail(name, pt_vm_error(vm));
}

static const double *results(const task *t) {
  pt_tensor *x[OPERANDS], *y = NULL;
  for (int i = 0; i < OPERANDS; i++)
    x[i] = pt_from_data(t->x[i].bytes, t->x[i].size, t->x[i].nd, t->k->dtype);
  if (pt_vm_call(vm, "measured", "TTT>T", x[0], x[1], x[2], &y) != PT_OK)
    fail(t->r->name, pt_vm_error(vm));
  if (y == NULL || pt_numel(y) != t->lines * t->width) fail(t->r->name, "has another shape");
  return pt_data(y);
}

/* Lines enough for so many terms, the first and the last among them. */
static int64_t terms_looked_at;
static int64_t lines_looked_at(const task *t) {
  int64_t cost = t->n * (t->r->form == EACHES ? 1 : t->width), most = terms_looked_at / cost;
  return most < 2 ? (t->lines < 2 ? t->lines : 2) : most < t->lines ? most : t->lines;
}
static int64_t line_at(const task *t, int64_t count, int64_t i) {
  return count < 2 ? 0 : i * (t->lines - 1) / (count - 1);
}

static void compare(const task *t, const char *set, found *f) {
  int64_t count = lines_looked_at(t);
  point *truth = malloc((size_t)(count * t->width) * sizeof *truth);
  if (truth == NULL) fail(t->r->name, "no memory");
  for (int64_t i = 0; i < count; i++) true_results(t, line_at(t, count, i), truth + i * t->width);
  for (int l = 0; l < LEVELS; l++) {
    if (!pt_set_cpu_level(levels[l])) continue;
    pt_scope scope = pt_scope_begin();
    const double *y = results(t);
    for (int64_t i = 0; i < count; i++)
      for (int64_t j = 0; j < t->width; j++) {
        const point *p = &truth[i * t->width + j];
        double got = y[line_at(t, count, i) * t->width + j];
        if (p->beside >= ldexpl(1, t->k->most)) continue; /* too large for the dtype on the way */
        double error = error_of(t->k, got, p->truth, p->beside);
        if (error > f->error) *f = (found){error, set, levels[l]};
      }
    pt_scope_end(scope);
  }
  pt_set_cpu_level(first_level);
  free(truth);
}

static found measure(const row *r, const kind *k, int which, int repeats, int64_t *n) {
  found f = {-1, "", ""};
  int all = r->operand[0].sets | r->operand[1].sets | r->operand[2].sets;
  state = 1;
  for (int i = 0; i < SETS * repeats; i++) {
    int set = sets[i % SETS].set;
    if (!(all & set)) continue;
    task t = {.r = r, .k = k};
    shape_task(&t, which);
    *n = t.n;
    for (int o = 0; o < OPERANDS; o++) fill(&t, &t.x[o], &r->operand[o], set);
    compare(&t, sets[i % SETS].name, &f);
    for (int o = 0; o < OPERANDS; o++) free(t.x[o].at), free(t.x[o].bytes);
  }
  return f;
}

/* ---- the table ---- */

/* Halves are computed in float32, of whose units they have few in one of their own, and rounded. */
static double limit_of(const row *r, const kind *k) {
  if (!is_half(k)) return r->limit[k->dtype == PT_F64];
  return r->limit[2] > 0 ? r->limit[2] : 0.5 + ldexp(r->limit[0] + 1, k->digits - 24);
}

static int print_row(const row *r, int which, int repeats) {
  found f[KINDS];
  int64_t n = 0;
  int failures = 0;
  for (int j = 0; j < KINDS; j++) f[j] = measure(r, &kinds[j], which, repeats, &n);
  printf("| %s | %lld |", r->name, (long long)n);
  for (int j = 0; j < KINDS; j++) {
    if (f[j].error < 0) printf(" too large |");
    else printf(" %.*f %s |", f[j].error >= 100 ? 0 : 2, f[j].error, f[j].set);
  }
  printf("\n");
  for (int j = 0; j < KINDS; j++) {
    double limit = limit_of(r, &kinds[j]);
    if (f[j].error <= limit) continue;
    failures++;
    printf("%s of %lld, %s: %.3f units on level %s, %g are allowed\n", r->name, (long long)n,
           kinds[j].name, f[j].error, f[j].level, limit);
  }
  fflush(stdout);
  return failures;
}

static bool is_asked_for(const char *name, int argc, char **argv) {
  bool asked = argc < 3;
  for (int i = 2; i < argc; i++) asked |= strcmp(argv[i], name) == 0;
  return asked;
}

int main(int argc, char **argv) {
  int repeats = argc > 1 ? atoi(argv[1]) : 1, failures = 0;
  if (repeats <= 0) return printf("usage: sums [REPEATS [NAME ...]]\n"), 2;
  terms_looked_at = repeats > 1 ? 1 << 21 : 1 << 18;
  vm = pt_vm_open(NULL);
  if (vm == NULL) fail("sums", "no vm");
  run("sums", prelude);
  first_level = pt_cpu_level();
  printf("| op | terms | float32 | float64 | float16 | bfloat16 |\n"
         "| --- | --- | --- | --- | --- | --- |\n");
  for (int i = 0; i < ROWS; i++) {
    if (!is_asked_for(rows[i].name, argc, argv)) continue;
    char code[1024];
    snprintf(code, sizeof code, "function measured(a, b, c) return (%s):double():contiguous() end",
             rows[i].code);
    run(rows[i].name, code);
    for (int which = 0; which < (repeats > 1 ? 3 : 2); which++)
      failures += print_row(&rows[i], which, repeats);
  }
  pt_vm_close(vm);
  return failures > 0;
}
