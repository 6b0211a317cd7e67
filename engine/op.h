/* op.h: the op table. A row of ops.def names an op; here is what a row becomes, and the one way to
   call it. */
#ifndef PTI_OP_H
#define PTI_OP_H

#include "base.h"
#include "dtype.h"

enum { PTI_MAX_ARG = 12, PTI_MAX_OUT = 4 };
/* The position before the first, where a slice stops that holds nothing. */
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

/* A parsed parameter of a signature: "x:T dim:d? keepdim:b=false -> values:T indices:T".
   '?' optional; '=' default; '!' after T: the op has an in-place twin "name_"; '~' after an output: it
   has no gradient. */
typedef struct pti_param_spec {
  char name[20];
  char type;
  bool optional, inplace;
  char dflt[20]; /* text of the default, "" where none */
} pti_param_spec;

/* What autocast does with the floating inputs of an op. */
typedef enum {
  PTI_CAST_NONE,
  PTI_CAST_LOWER,
  PTI_CAST_SINGLE,
  PTI_CAST_WIDEST,
  PTI_CAST_PLAIN, /* nothing, and nothing for the ops that it is made of */
  PTI_CAST_REFUSED
} pti_cast_policy;
pti_cast_policy pti_autocast_policy(const char *name);

typedef enum { PTI_ELEMENTWISE, PTI_STRUCTURED, PTI_COMPOSITE } pti_kind;

typedef struct pt_op {
  const char *name, *sig, *saves, *help;
  pti_kind kind;
  /* First output, NULL on failure; further outputs in more[0..]. Arguments were checked against the
     signature: tensors on one device, none missing. Outputs are fresh (a composite may return an
     argument). */
  pt_tensor *(*run)(const struct pt_op *op, const pt_arg *arg, pt_tensor **more);
  /* g[k]: gradient of output k or NULL; sets gx[i] for every input i that pti_wants. NULL: not
     differentiable. */
  bool (*vjp)(pt_node *n, pt_tensor *const *g, pt_tensor **gx);
  /* element-wise only: number of the kernel (PTI_EW_...), text of the value and of the gradients,
     accepted dtypes (integers become the default float where only floats are), whether the result
     is bool */
  int ew;
  const char *value, *grad[3];
  unsigned dtypes;
  bool test;
  /* filled on first use from sig and saves */
  int narg, nout, nin; /* nin: tensor parameters, -1 where a list */
  bool inplace;
  pti_cast_policy cast;
  unsigned non_differentiable; /* bit set of outputs without a gradient */
  unsigned save_in, save_out;  /* bit sets of inputs and outputs that the vjp reads */
  unsigned grad_uses[3];       /* element-wise: the same for each gradient alone; see expr.h */
  pti_param_spec param[PTI_MAX_ARG];
  char out_name[PTI_MAX_OUT][20];
} pt_op;

/* The table, in the order of ops.def; ready after the first call. */
pt_op *pti_ops(int *count);
const pt_op *pti_op_find(const char *name);
#include "ptlua_ids.h" /* enum { PTI_OP_abs, ... } */
const pt_op *pti_op_at(int id);

/* Calls an op: checks, runs, records. out[0..nout-1] scope-owned. False on failure. */
bool pti_call(const pt_op *op, pt_arg *arg, pt_tensor **out);
/* The same under autocast, for an op with a policy. */
bool pti_autocast_call(const pt_op *op, pt_arg *arg, pt_tensor **out);
/* The same with the result written into arg[0].t, which is returned; for ops with an in-place twin. */
pt_tensor *pti_call_inplace(const pt_op *op, pt_arg *arg);
/* Whether the rules for in-place edits allow one of x now; messages begin with name and mark. */
bool pti_editable(const char *name, const char *mark, pt_tensor *x);

/* What an op means where an argument is complex (ops/complex.c). *done: it was made of other ops,
   which recorded; else it runs as it is. False where complex numbers have no such op, or it failed. */
bool pti_complex_call(const pt_op *op, const pt_arg *arg, pt_tensor **out, bool *done);

/* The name of the op whose output x is; NULL for a leaf. */
const char *pti_made_by(pt_tensor *x);
/* The same elements and history in another tensor, without x's grad and base. */
pt_tensor *pti_twin(pt_tensor *x);

/* Sums g down to the shape of edge-less geometry (size, nd): the reverse of broadcasting. */
pt_tensor *pti_sum_to(pt_tensor *g, const int64_t *size, int nd);

#endif
