/* op.h: the op table. A row of ops.def defines an op; this is what a row becomes, and the only way to
   call it. */
#ifndef PTI_OP_H
#define PTI_OP_H

#include "base.h"
#include "dtype.h"

enum { PTI_MAX_ARG = 12, PTI_MAX_OUT = 4, PTI_MAX_NAME = 20 };
/* The position before the first: where an empty slice stops. */
#define PTI_BEFORE_FIRST INT64_MIN

/* One argument of a call, as the signature says. */
typedef struct pt_arg {
  union {
    pt_tensor *t; /* T  tensor; A  tensor or number (a number arrives as a wrapped 0-dim tensor) */
    int64_t i; /* i  integer; p  position and d  dim (0-based, or negative from the end, here; Lua's
                               count from 1); b  boolean; y  dtype; v  device */
    double f;  /* f  number; n  number that was not an integer (else .i, and .n is 1) */
    const char *s;          /* s  string */
    const int64_t *ints;    /* I  sizes or integers, n of them; D  dims */
    pt_tensor *const *list; /* L  tensors, n of them */
  };
  int n;
  bool given; /* false: left out (then the rest is zero, or the default) */
} pt_arg;

/* A parameter of a signature, "x:T dim:d? keepdim:b=false -> values:T indices:T" (scripts/pt/grammar.lua). */
typedef struct pti_param_spec {
  char name[PTI_MAX_NAME];
  char type;
  bool optional; /* it may be left out, and has no default */
  bool inplace;
} pti_param_spec;

/* What autocast does with the floating inputs of an op. */
typedef enum {
  PTI_CAST_NONE,
  PTI_CAST_LOWER,
  PTI_CAST_FLOAT32,
  PTI_CAST_WIDEST,
  PTI_CAST_PLAIN, /* nothing, nor to the ops that it is composed of */
  PTI_CAST_REFUSED
} pti_cast_policy;

/* How complex arguments are treated: an error, a call of complex_call, like any other, an error about their order. */
typedef enum {
  PTI_COMPLEX_REFUSED,
  PTI_COMPLEX_CALL,
  PTI_COMPLEX_AS_IS,
  PTI_COMPLEX_UNORDERED
} pti_complex_policy;

typedef enum { PTI_ELEMENTWISE, PTI_STRUCTURED, PTI_COMPOSITE } pti_kind;

/* The gradient of an element-wise row as steps on a stack (formula.h); `at` is a variable, a constant or an op. */
typedef enum { PTI_STEP_VARIABLE, PTI_STEP_CONSTANT, PTI_STEP_CALL } pti_step_kind;
typedef struct pti_step {
  uint16_t kind : 2, at : 14;
} pti_step;
typedef struct pti_formula {
  const pti_step *step; /* NULL: not differentiable */
  uint8_t n, uses;      /* uses: bit set of the tensors it refers to */
} pti_formula;

typedef struct pt_op {
  const char *name, *sig, *help;
  pti_kind kind;
  /* First output, NULL on failure; further outputs in more[0..]. Arguments were checked against the
     signature: tensors on one device, none missing. Outputs are fresh (a composite may return an
     argument). Of structured rows, <op>_run with its arguments by name (ptlua_run.h). */
  pt_tensor *(*run)(const struct pt_op *op, const pt_arg *arg, pt_tensor **more);
  /* The same, written into arg[0].t; NULL where there is no in-place variant, or run itself edits. */
  bool (*run_inplace)(const struct pt_op *op, const pt_arg *arg);
  /* g[k]: gradient of output k or NULL; sets gx[i] for every input i that pti_wants. NULL: not
     differentiable. */
  bool (*vjp)(pt_node *n, pt_tensor *const *g, pt_tensor **gx);
  pti_cast_policy cast;
  pti_complex_policy complex;
  pt_tensor *(*complex_call)(const struct pt_op *op, const pt_arg *arg);
  /* An alternative implementation, or NULL: leaves *out NULL where it does not apply. False on failure. */
  bool (*shortcut)(const pt_arg *arg, pt_tensor **out);
  int narg, nout, nin;         /* nin: tensor parameters, -1 where a list */
  bool inplace;                /* has a variant that edits its first argument */
  bool edits;                  /* run edits arg[0].t and returns it */
  unsigned non_differentiable; /* bit set of outputs without a gradient */
  unsigned save_in, save_out;  /* bit sets of inputs and outputs that the vjp reads */
  const pti_param_spec *param;
  const pt_arg *defaults; /* one for each parameter, or NULL where there are none */
  /* Element-wise only: number of the kernel (PTI_EW_...), accepted dtypes (integers become the default float where only
     floats are), the gradient of each input. */
  int ew;
  unsigned dtypes;
  bool test;    /* the result is bool */
  bool chooses; /* the first operand only chooses: the dtype is that of the others */
  bool divides; /* integers refuse a divisor of 0 */
  pti_formula grad[3];
} pt_op;

/* The table, in the order of ops.def, and the constants of its formulas: build/gen/ptlua_table.c. */
extern const pt_op pti_table[];
extern const double pti_constants[];
/* The op PTI_OP_<name> of ptlua_ids.h. Files that name an op include that header: its numbers change with each new row.
   */
static inline const pt_op *pti_op_at(int id) { return &pti_table[id]; }
const pt_op *pti_op_find(const char *name); /* NULL where no op has this name */

/* Calls an op: checks, casts, runs, records. out[0..nout-1] scope-owned. False on failure. */
bool pti_call(const pt_op *op, pt_arg *arg, pt_tensor **out);
/* The same with the result written into arg[0].t, which is returned; for ops with an in-place variant. */
pt_tensor *pti_call_inplace(const pt_op *op, pt_arg *arg);
/* Whether x may be edited in place now; messages begin with name and mark. */
bool pti_editable(const char *name, const char *mark, pt_tensor *x);

/* The name of the op that x is an output of; NULL for a leaf. */
const char *pti_made_by(pt_tensor *x);
/* The same elements and history in another tensor, without x's grad and base. */
pt_tensor *pti_twin(pt_tensor *x);

/* Sums g down to the shape of a geometry without an edge (size, nd): the reverse of broadcasting. */
pt_tensor *pti_sum_to(pt_tensor *g, const int64_t *size, int nd);

#endif
