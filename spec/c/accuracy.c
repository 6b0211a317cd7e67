/* accuracy.c: how far the results of element-wise ops are from the truth, in units in the last place, for each floating dtype
   and on each CPU level of this machine. The truth is computed in long double. Prints a row of a Markdown table for each op:
   the largest error, and where it was found. Exits with 0 if every error is within what accuracy/rows.def allows.
   usage: accuracy [POINTS [OP ...]]   of float32 and float64; with 65536 or more, ops of one operand see every number of the halves
          accuracy truth        the truth at some points, which spec/peers/truth.py compares with mpmath's */
#define _GNU_SOURCE /* j0l */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"
#include "ptlua_ids.h"

#include "accuracy/kinds.h"

/* ---- what is measured ---- */

typedef struct range {
  double low, high, from, to;
  bool whole;
} range;

typedef struct row {
  const char *op;
  range operand[3];
  wide (*truth)(wide a, wide b, wide c, const double *p);
  wide (*beside)(wide a, wide b, wide c);
  const char *beside_text;
  double limit[2]; /* of float32, float64 */
} row;

static wide true_remainder(wide a, wide b) {
  wide r = fmodl(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
/* How high Bessel functions swing. */
#define WAVE fminl(1, sqrtl(2 / (PI * fabsl(a))))

#define ROW(name, operands, value, unit, of_float, of_double)            \
  static wide truth_of_##name(wide a, wide b, wide c, const double *p) { \
    int exponent;                                                        \
    (void)exponent, (void)a, (void)b, (void)c, (void)p;                  \
    return value;                                                        \
  }                                                                      \
  static wide beside_##name(wide a, wide b, wide c) {                    \
    (void)a, (void)b, (void)c;                                           \
    return unit;                                                         \
  }
#include "accuracy/rows.def"
#undef ROW
#define RANGE(low, high, from, to) {low, high, from, to, false},
#define WHOLE(low, high) {low, high, low, high, true},
#define ROW(name, operands, value, unit, of_float, of_double) \
  {#name, {operands}, truth_of_##name, beside_##name, #unit, {of_float, of_double}},
static const row rows[] = {
#include "accuracy/rows.def"
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Ops without a row: their results are integers, bools, or a step of the dtype itself. */
static const char *const left_out[] = {
    "nextafter", "eq",      "ne",          "lt",         "le",          "gt",         "ge",
    "isnan",     "signbit", "logical_and", "logical_or", "logical_xor", "logical_not"};

/* ---- points ---- */

enum { CHUNK = 8192 };

static double draw(const kind *k, const range *r) {
  if (r->whole) return r->low + floor(share() * (r->high - r->low + 1));
  if (next_random() & 1) return r->low + share() * (r->high - r->low);
  bool minus = r->from < 0 && (r->to <= 0 || next_random() & 1);
  double most = fmin(fabs(minus ? r->from : r->to), ldexp(1, k->most - 1));
  double least = minus || r->from <= 0 ? ldexp(1, k->least) : r->from;
  double low = log2(least), high = log2(most);
  double size = exp2(low + share() * (high - low));
  return minus ? -size : size;
}

static bool inside(const range *r, double v) {
  return v >= r->from && v <= r->to && v != 0 && isfinite(v);
}

typedef struct chunk {
  int n;
  double at[3][CHUNK];
  uint64_t bytes[3][CHUNK]; /* the same in the dtype */
  wide truth[CHUNK], beside[CHUNK];
} chunk;

/* Fills the next chunk. `done` counts points, or the numbers of a half, of which an op of one operand sees every one, or as
   many as there are points. */
static bool next_chunk(const row *r, const kind *k, int operands, int64_t points, int64_t *done,
                       chunk *c) {
  bool each = is_half(k) && operands == 1;
  int64_t end = each ? 65536 : points, step = each && points < end ? end / points : 1;
  for (c->n = 0; c->n < CHUNK && *done < end; *done += step) {
    bool good = true;
    for (int o = 0; o < operands; o++) {
      if (each) ((uint16_t *)c->bytes[o])[c->n] = (uint16_t)*done;
      else store(k, c->bytes[o], c->n, draw(k, &r->operand[o]));
      c->at[o][c->n] = load(k->dtype, c->bytes[o], c->n);
      good &= r->operand[o].whole || inside(&r->operand[o], c->at[o][c->n]);
    }
    c->n += good;
  }
  return c->n > 0;
}

/* ---- measuring ---- */

typedef struct found {
  double error, at[3];
  const char *level;
} found;

static const char *first_level;

static void fail(const char *op, const char *what) {
  printf("%s: %s; %s\n", op, what, pt_error());
  exit(1);
}

static const void *results(const pt_op *op, const kind *k, chunk *c, const double *p,
                           pt_dtype *dtype) {
  pt_arg arg[PTI_MAX_ARG] = {0};
  int64_t size[1] = {c->n};
  for (int i = 0; i < op->narg; i++) {
    arg[i].given = true;
    if (i < op->nin) arg[i].t = pt_from_data(c->bytes[i], size, 1, k->dtype);
    else arg[i].f = p[i - op->nin];
    if (i == 0 && op->chooses) arg[i].t = pt_to_dtype(arg[i].t, PT_BOOL);
  }
  pt_tensor *out[PTI_MAX_OUT] = {0};
  if (!pti_call(op, arg, out)) fail(op->name, "fails");
  *dtype = pt_dtype_of(out[0]);
  if (*dtype == PT_I32) {
    out[0] = pt_to_dtype(out[0], PT_F64);
    *dtype = PT_F64;
  }
  return pt_data(out[0]);
}

/* The op's numbers: its defaults, or some. */
static void numbers_of(const pt_op *op, double *p) {
  p[0] = 0.125, p[1] = 7;
  for (int i = op->nin; op->defaults && i < op->narg; i++) {
    const pt_arg *d = &op->defaults[i];
    p[i - op->nin] = d->n ? (double)d->i : d->f;
  }
}

static found measure(const row *r, const kind *k, int64_t points) {
  static chunk c;
  const pt_op *op = pti_op_find(r->op);
  if (op == NULL) fail(r->op, "is no op");
  double p[PTI_MAX_ARG] = {0};
  numbers_of(op, p);
  found f = {.error = -1};
  state = 1;
  for (int64_t done = 0; next_chunk(r, k, op->nin, points, &done, &c);) {
    for (int i = 0; i < c.n; i++) {
      wide at[3] = {c.at[0][i], c.at[1][i], c.at[2][i]};
      c.truth[i] = r->truth(at[0], at[1], at[2], p);
      c.beside[i] = r->beside(at[0], at[1], at[2]);
    }
    for (int l = 0; l < LEVELS; l++) {
      if (!pt_set_cpu_level(levels[l])) continue;
      pt_scope scope = pt_scope_begin();
      pt_dtype dtype;
      const void *y = results(op, k, &c, p, &dtype);
      for (int i = 0; i < c.n; i++) {
        double error = error_of(k, load(dtype, y, i), c.truth[i], c.beside[i]);
        if (error <= f.error) continue;
        f = (found){error, {c.at[0][i], c.at[1][i], c.at[2][i]}, levels[l]};
      }
      pt_scope_end(scope);
    }
  }
  pt_set_cpu_level(first_level);
  return f;
}

/* ---- the table ---- */

static bool has_row(const char *op) {
  for (int i = 0; i < ROWS; i++)
    if (strcmp(rows[i].op, op) == 0) return true;
  for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
    if (strcmp(left_out[i], op) == 0) return true;
  return false;
}

static double limit_of(const row *r, const kind *k) {
  if (!is_half(k)) return r->limit[k->dtype == PT_F64];
  return r->limit[0] == 0 ? 0 : 0.51; /* computed in float32, and rounded once more */
}

static void print_cell(const found *f, int operands) {
  printf(" %.*f", f->error == 0 || f->error >= 10 ? 0 : 3, f->error);
  for (int o = 0; o < operands && f->error > 0; o++) printf("%s%.9g", o ? ", " : " at ", f->at[o]);
  printf(" |");
}

/* Lines of op, number of operands, operands, truth. */
static int print_truth(void) {
  for (int i = 0; i < ROWS; i++) {
    int operands = pti_op_find(rows[i].op)->nin;
    double p[PTI_MAX_ARG] = {0}, at[3] = {0};
    numbers_of(pti_op_find(rows[i].op), p);
    state = 7;
    for (int k = 0; k < 40; k++) {
      printf("%s %d", rows[i].op, operands);
      for (int o = 0; o < operands; o++)
        printf(" %a", at[o] = draw(&kinds[1], &rows[i].operand[o]));
      printf(" %.25Lg\n", rows[i].truth(at[0], at[1], at[2], p));
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "truth") == 0) return print_truth();
  int64_t points = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000;
  int failures = 0;
  if (points <= 0) return printf("usage: accuracy [POINTS]\n"), 2;
  first_level = pt_cpu_level();
  for (int i = 0; i < PTI_NOPS; i++) {
    if (pti_table[i].kind != PTI_ELEMENTWISE || !(pti_table[i].dtypes & PTI_FLOATS)) continue;
    if (!has_row(pti_table[i].name))
      fail(pti_table[i].name, "has no row in spec/c/accuracy/rows.def");
  }
  printf("| op |");
  for (int j = 0; j < KINDS; j++) printf(" %s |", kinds[j].name);
  printf("\n| --- | --- | --- | --- | --- |\n");
  for (int i = 0; i < ROWS; i++) {
    const row *r = &rows[i];
    found f[KINDS];
    bool asked = argc < 3;
    for (int k = 2; k < argc; k++) asked |= strcmp(argv[k], r->op) == 0;
    if (!asked) continue;
    printf("| %s%s |", r->op, strcmp(r->beside_text, "0") == 0 ? "" : " *");
    for (int j = 0; j < KINDS; j++) {
      f[j] = measure(r, &kinds[j], points);
      print_cell(&f[j], pti_op_find(r->op)->nin);
    }
    printf("\n");
    for (int j = 0; j < KINDS; j++) {
      double limit = limit_of(r, &kinds[j]);
      if (f[j].error <= limit) continue;
      failures++;
      printf("%s, %s: %.3f units on level %s, %g are allowed\n", r->op, kinds[j].name, f[j].error,
             f[j].level, limit);
    }
    fflush(stdout);
  }
  return failures > 0;
}
