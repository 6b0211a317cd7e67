/* cpu_backend.h: what the files of the CPU backend share: the slots (one function each, named after the slot of
   slots.def), the engine's services, and the loops that are built once per CPU level.

   Loops that profit from wide vectors are not in the slots' own files. They stand in <folder>/<name>.inc.h, which
   tensor_loops.c includes. It is compiled once per level (-DPT_LEVEL=base, avx2, avx512) and exports one pti_cpu_loops
   and nothing else. To add a loop: write it in an .inc.h as a static function, add a member to pti_cpu_loops, and name
   it in tensor_loops.c. A slot calls pti_cpu_now()->member. A level's bits do not depend on threads. */
#ifndef PTI_KERNELS_CPU_BACKEND_H
#define PTI_KERNELS_CPU_BACKEND_H

#include "cpu.h"
#include "backend.h"

/* The engine's services; set before any slot is called. */
extern const pt_host *pti_cpu_host;

/* No iteration of the next loop depends on another, whatever the pointers look like. Loops that call the C library, and
   all of them under a sanitizer, stay scalar all the same, which clang would report. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#define PTI_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define PTI_INDEPENDENT _Pragma("GCC ivdep")
#else
#define PTI_INDEPENDENT
#endif
/* A short loop within another that gcc would unroll, and then not vectorise. */
#if defined(__GNUC__) && !defined(__clang__)
#define PTI_ROLLED _Pragma("GCC unroll 1")
#else
#define PTI_ROLLED
#endif
/* A loop of a few rounds, whose number is known, that becomes straight code; unless that is to be small. */
#if defined(__OPTIMIZE_SIZE__)
#define PTI_UNROLLED
#elif defined(__clang__)
#define PTI_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define PTI_UNROLLED _Pragma("GCC unroll 36")
#endif

/* Loops work on blocks of at most this many elements of a compute type. */
enum { PTI_BLOCK = 1024, PTI_PIECE = 32768 /* elements that are worth a thread */ };

typedef union pti_block {
  float f[PTI_BLOCK];
  double d[PTI_BLOCK];
  int64_t i[PTI_BLOCK];
} pti_block;

/* out and in are dense; out may be one of in. */
typedef void pti_ew_loop(void *out, const void *const *in, const double *param, int64_t n);
/* n elements at `from`, `stride` bytes apart, as dense numbers of a compute type; and back. */
typedef void pti_load_loop(void *to, const char *from, int64_t stride, int64_t n);
typedef void pti_store_loop(char *to, int64_t stride, const void *from, int64_t n);
/* Moves a (rows, n) block of elements of one size, whatever they are. */
typedef void pti_move_loop(char *to, const int64_t to_stride[2], const char *from,
                           const int64_t from_stride[2], int64_t rows, int64_t n);

/* A number being reduced to: double for float and double, int64_t for int64_t. */
typedef union pti_sum {
  double f;
  int64_t i;
} pti_sum;
/* Folds x[0 .. n) into *acc. `at` is the position of x[0]; *best, the position of the extreme, is
   written by PTI_ARGMAX and PTI_ARGMIN, which also leave the extreme in *acc; -1 where there is
   none yet. */
typedef void pti_row_loop(pti_sum *acc, int64_t *best, const void *x, int64_t n, int64_t at);
/* Folds x[j] into acc[j] for n neighbours, all at position `at`. */
typedef void pti_column_loop(pti_sum *acc, int64_t *best, const void *x, int64_t n, int64_t at);

/* Softmax, for float and double. exp: y = exp(x - shift), and the sum of y; dot: the sum of x u;
   for a row, or added to the sum of each column. pass: y of x and u and numbers a and b of the row
   (or of each column). */
typedef double pti_exp_row_loop(void *y, const void *x, double shift, int64_t n);
typedef void pti_exp_column_loop(void *y, const void *x, const void *shift, double *sum, int64_t n);
typedef double pti_dot_row_loop(const void *x, const void *u, int64_t n);
typedef void pti_dot_column_loop(const void *x, const void *u, double *sum, int64_t n);
typedef void pti_pass_loop(void *y, const void *x, const void *u, const void *a, const void *b,
                           bool column, int64_t n);

/* Optimizer steps of n elements, for float and double; states are NULL where it has none. */
typedef void pti_sgd_loop(const pti_sgd *h, void *p, const void *g, void *buffer, int64_t n);
typedef void pti_adam_loop(const pti_adam *h, double step, void *p, const void *g,
                           void *const *state, int64_t n);
typedef void pti_rule_loop(const pti_rule *h, const double *c, void *p, const void *g,
                           void *const *state, int64_t n);

/* Random words of one block, 32 or 64 for each number. draw: Philox words of the counters from ctr
   on, n a multiple of 4. random: numbers of a distribution over the reals (NULL for the others),
   which a and b are parameters of; top is the largest number below b. */
typedef struct pti_words {
  uint32_t high[PTI_BLOCK], low[PTI_BLOCK];
} pti_words;
static inline uint64_t pti_word64(const pti_words *w, int64_t i) {
  return (uint64_t)w->high[i] << 32 | w->low[i];
}
typedef void pti_draw_loop(uint64_t seed, uint64_t stream, uint64_t ctr, uint32_t *w, int64_t n);
typedef void pti_random_loop(void *x, const pti_words *w, double a, double b, double top,
                             int64_t n);
/* n uniform numbers, a multiple of 16, become normal ones as PyTorch makes them. */
typedef void pti_box_muller_loop(float *x, int64_t n, float mean, float std);

/* Rows whose values other kernels are made of. */
typedef enum {
  PTI_VALUE_EXP,
  PTI_VALUE_LOG,
  PTI_VALUE_SIGMOID,
  PTI_VALUE_TANH,
  PTI_VALUE_RELU,
  PTI_NVALUE
} pti_value;

/* The rows of ops.def by number (PTI_EW_...). */
typedef struct pti_cpu_elementwise {
  pti_ew_loop *const (
      *loop)[4][PTI_NCOMPUTE];    /* value and gradients; NULL where the row has none */
  pti_ew_loop *const (*range)[2]; /* twins for floats (ranges.inc.h); NULL for most rows */
  const bool *gives_bool;         /* uint8_t is written, not the compute type */
  pti_ew_loop *value[PTI_NVALUE][2];
} pti_cpu_elementwise;
extern const pti_cpu_elementwise pti_cpu_elementwise_base, pti_cpu_elementwise_avx2,
    pti_cpu_elementwise_avx512;

typedef struct pti_cpu_reductions {
  pti_row_loop *row[PTI_NREDUCE][PTI_NCOMPUTE];
  pti_column_loop *column[PTI_NREDUCE][PTI_NCOMPUTE];
} pti_cpu_reductions;
extern const pti_cpu_reductions pti_cpu_reductions_base, pti_cpu_reductions_avx2,
    pti_cpu_reductions_avx512;

typedef struct pti_cpu_loops {
  const pti_cpu_elementwise *rows;
  const pti_cpu_reductions *reductions;
  pti_load_loop *load[PT_NDTYPE][PTI_NCOMPUTE];
  pti_store_loop *store[PT_NDTYPE][PTI_NCOMPUTE];
  pti_move_loop *move[5]; /* by log2 of the element's size */
  pti_exp_row_loop *exp_row[2];
  pti_exp_column_loop *exp_column[2];
  pti_dot_row_loop *dot_row[2];
  pti_dot_column_loop *dot_column[2];
  pti_pass_loop *scale_pass[2];    /* x a */
  pti_pass_loop *log_pass[2];      /* x - a - b */
  pti_pass_loop *grad_pass[2];     /* x (u - a) */
  pti_pass_loop *log_grad_pass[2]; /* u - exp(x) a */
  pti_sgd_loop *sgd[2];
  pti_adam_loop *adam[2];
  pti_rule_loop *rule[2];
  pti_draw_loop *draw;
  pti_random_loop *random[PTI_RAND_EXPONENTIAL + 1][2];
  pti_box_muller_loop *box_muller;
} pti_cpu_loops;

extern const pti_cpu_loops pti_cpu_loops_base, pti_cpu_loops_avx2, pti_cpu_loops_avx512;
/* The loops of the level in use. */
const pti_cpu_loops *pti_cpu_now(void);

#endif
