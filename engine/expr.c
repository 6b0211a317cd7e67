/* expr.c: a parser for the expressions of ops.def. They are compiled as C and as CUDA elsewhere;
   here the same text becomes postfix, which is either inspected (pti_expr_uses) or played as op
   calls (pti_expr_run).

   cond := or ['?' cond ':' cond]      or := and {'|' and}          and := cmp {'&' cmp}
   cmp  := sum [('<' | '<=' | '>' | '>=' | '==' | '!=') sum]       sum := mul {('+' | '-') mul}
   mul  := unary {('*' | '/') unary}   unary := '-' unary | number | name | name '(' cond {',' cond} ')' | '(' cond ')'
   The nesting is that of the table's text, so recursion is bounded. */
#include "expr.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"

enum { MAX_STEP = 96, MAX_STACK = 24 };

typedef struct step {
  char code; /* 'v' variable, 'k' constant, 'f' call, '?' choice, else an operator */
  char name[12];
  int argc;
  double k;
} step;

typedef struct expr {
  step at[MAX_STEP];
  int n;
  const char *p;
  bool bad;
} expr;

static void emit(expr *e, char code, const char *name, int argc, double k) {
  if (e->n == MAX_STEP) {
    e->bad = true;
    return;
  }
  step *s = &e->at[e->n++];
  s->code = code;
  s->argc = argc;
  s->k = k;
  snprintf(s->name, sizeof s->name, "%s", name);
}

static bool eat(expr *e, const char *token) {
  while (*e->p == ' ') e->p++;
  size_t n = strlen(token);
  if (strncmp(e->p, token, n) != 0) return false;
  e->p += n;
  return true;
}

static void cond(expr *e);

static void call(expr *e, const char *name) {
  int argc = 0;
  do {
    cond(e);
    argc++;
  } while (!e->bad && eat(e, ","));
  if (!eat(e, ")")) e->bad = true;
  if (strcmp(name, "K") != 0)
    emit(e, 'f', name, argc, 0); /* K(c) is c: it only keeps C in type T */
}

static void atom(expr *e) {
  if (eat(e, "(")) {
    cond(e);
    if (!eat(e, ")")) e->bad = true;
    return;
  }
  if (isdigit((unsigned char)*e->p)) {
    char *end;
    double k = strtod(e->p, &end);
    e->p = end;
    emit(e, 'k', "", 0, k);
    return;
  }
  char name[12];
  size_t n = 0;
  while ((isalnum((unsigned char)*e->p) || *e->p == '_') && n < sizeof name - 1)
    name[n++] = *e->p++;
  name[n] = 0;
  if (n == 0) e->bad = true;
  else if (eat(e, "(")) call(e, name);
  else emit(e, 'v', name, 0, 0);
}

static void unary(expr *e) {
  if (eat(e, "-")) {
    unary(e);
    emit(e, 'n', "neg", 1, 0);
  } else {
    atom(e);
  }
}
static void mul(expr *e) {
  unary(e);
  while (!e->bad) {
    char op = eat(e, "*") ? '*' : eat(e, "/") ? '/' : 0;
    if (!op) return;
    unary(e);
    emit(e, op, op == '*' ? "mul" : "div", 2, 0);
  }
}
static void sum(expr *e) {
  mul(e);
  while (!e->bad) {
    char op = eat(e, "+") ? '+' : eat(e, "-") ? '-' : 0;
    if (!op) return;
    mul(e);
    emit(e, op, op == '+' ? "add" : "sub", 2, 0);
  }
}
static void cmp(expr *e) {
  static const char *const token[] = {"<=", ">=", "==", "!=", "<", ">"};
  static const char *const name[] = {"le", "ge", "eq", "ne", "lt", "gt"};
  sum(e);
  for (size_t i = 0; i < PTI_COUNT(token); i++) {
    if (eat(e, token[i])) {
      sum(e);
      emit(e, 'c', name[i], 2, 0);
      return;
    }
  }
}
static void and_(expr *e) {
  cmp(e);
  while (!e->bad && eat(e, "&")) {
    cmp(e);
    emit(e, '&', "logical_and", 2, 0);
  }
}
static void or_(expr *e) {
  and_(e);
  while (!e->bad && eat(e, "|")) {
    and_(e);
    emit(e, '|', "logical_or", 2, 0);
  }
}
static void cond(expr *e) {
  if (e->bad) return;
  or_(e);
  if (!eat(e, "?")) return;
  cond(e);
  if (!eat(e, ":")) e->bad = true;
  cond(e);
  emit(e, '?', "where", 3, 0);
}

static bool parse(expr *e, const char *text) {
  e->n = 0;
  e->p = text;
  e->bad = false;
  cond(e);
  while (*e->p == ' ') e->p++;
  if (!e->bad && *e->p == 0) return true;
  return pti_refuse(PT_EARG, "the table's expression '%s' does not parse at '%s'", text, e->p);
}

static unsigned use_of(const char *name) {
  if (name[1]) return 0; /* p0, p1, p2 */
  switch (name[0]) {
  case 'x':
  case 'a': return PTI_USE_A;
  case 'b': return PTI_USE_B;
  case 'c': return PTI_USE_C;
  case 'y': return PTI_USE_Y;
  case 'g': return PTI_USE_G;
  default: return 0;
  }
}

bool pti_expr_uses(const char *text, unsigned *uses) {
  expr e;
  *uses = 0;
  if (!parse(&e, text)) return false;
  for (int i = 0; i < e.n; i++) {
    if (e.at[i].code == 'v') *uses |= use_of(e.at[i].name);
  }
  return true;
}

static pt_tensor *variable(const char *name, const pti_vars *v) {
  if (name[0] == 'p' && isdigit((unsigned char)name[1])) return pt_scalar(v->p[name[1] - '0']);
  switch (use_of(name)) {
  case PTI_USE_A: return v->a;
  case PTI_USE_B: return v->b;
  case PTI_USE_C: return v->c;
  case PTI_USE_Y: return v->y;
  case PTI_USE_G: return v->g;
  default: return pti_fail(PT_EARG, "the table's expression mentions '%s'", name);
  }
}

/* Whole constants become integers, so that they never widen a dtype. */
static pt_tensor *constant(double k) {
  return k == (double)(int64_t)k ? pt_scalar_int((int64_t)k) : pt_scalar(k);
}

/* The op behind a step: operators carry its name, a function of scalar.h is the op's name in
   capitals. */
static const pt_op *op_of(const step *s) {
  if (s->code != 'f') return pti_op_find(s->name);
  if (strcmp(s->name, "FLOORDIV") == 0) return pti_op_find("floor_divide");
  if (strcmp(s->name, "MAX2") == 0) return pti_op_find("maximum");
  if (strcmp(s->name, "MIN2") == 0) return pti_op_find("minimum");
  char lower[sizeof s->name];
  size_t n = 0;
  for (; s->name[n]; n++) lower[n] = (char)tolower((unsigned char)s->name[n]);
  lower[n] = 0;
  return pti_op_find(lower);
}

pt_tensor *pti_expr_run(const char *text, const pti_vars *vars) {
  expr e;
  pt_tensor *stack[MAX_STACK];
  int n = 0;
  if (!parse(&e, text)) return NULL;
  for (int i = 0; i < e.n; i++) {
    const step *s = &e.at[i];
    if (n == MAX_STACK)
      return pti_fail(PT_EARG, "the table's expression '%s' is nested too deeply", text);
    if (s->code == 'k') {
      stack[n++] = constant(s->k);
    } else if (s->code == 'v') {
      stack[n++] = variable(s->name, vars);
    } else {
      const pt_op *op = op_of(s);
      pt_arg arg[PTI_MAX_ARG] = {0};
      pt_tensor *out[PTI_MAX_OUT];
      if (op == NULL)
        return pti_fail(PT_EARG, "the table's expression '%s': no op for %s", text, s->name);
      n -= s->argc;
      for (int k = 0; k < s->argc; k++) arg[k] = (pt_arg){.t = stack[n + k], .given = true};
      if (!pti_call(op, arg, out)) return NULL;
      stack[n++] = out[0];
    }
    if (stack[n - 1] == NULL) return NULL;
  }
  return stack[0];
}
