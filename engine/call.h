/* call.h: the steps of a call: its inputs are gathered and checked, the op runs, the call is recorded. */
#ifndef PTI_CALL_H
#define PTI_CALL_H

#include "node.h"

/* The tensor arguments of a call in order, with lists expanded. */
typedef struct pti_inputs {
  pt_tensor **v;
  int n;
  size_t bytes; /* of v, where the array inside the struct is too small */
  bool complex; /* one of them is */
  pt_tensor *few[16];
} pti_inputs;

/* False where an input is missing (an earlier call of the chain failed), or is on another device. */
bool pti_gather_inputs(const pt_op *op, const pt_arg *arg, pti_inputs *in);
void pti_drop_inputs(pti_inputs *in);
bool pti_wants_record(const pt_op *op, const pti_inputs *in);

/* Runs the op and records the call. */
bool pti_run_op(const pt_op *op, const pt_arg *arg, const pti_inputs *in, pt_tensor **out);
/* A call that bypasses autocast and complex numbers, for code that prepares calls; returns the first output. */
pt_tensor *pti_call_plain(int op, const pt_arg *arg);

/* autocast.c: casts the inputs of a call by the op's policy. */
bool pti_autocast_inputs(const pt_op *op, pt_arg *arg);
/* complex_args.c: treats complex arguments as the row says: an error, out[0] from its complex_call, or out[0] NULL,
   where the op runs as it is. */
bool pti_complex_call(const pt_op *op, const pt_arg *arg, pt_tensor **out);

#endif
