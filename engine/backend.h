/* backend.h: what a device must provide. pt_backend is its run time: memory, copies, streams; its kernels are the
   slots of slots.def, whose arguments are described here. kernels/cpu has both for the CPU, a plug-in for its devices;
   the engine knows no other way to compute. */
#ifndef PTI_BACKEND_H
#define PTI_BACKEND_H

#include "dtype.h"
#include "iter.h"

#define PT_BACKEND_ABI 3

typedef enum { PTI_SCAN_SUM, PTI_SCAN_PROD, PTI_SCAN_MAX, PTI_SCAN_MIN } pti_scan;

/* What an element becomes where ids write to it: the last one, or all of them and the old one combined. */
typedef enum { PTI_PUT, PTI_ADD, PTI_TIMES, PTI_LARGER, PTI_LESS } pti_combine;

/* One layer and direction of a recurrent network; see kernels/cpu/rnn/rnn.c. */
typedef enum { PTI_LSTM, PTI_GRU, PTI_RNN_TANH, PTI_RNN_RELU } pti_rnn_kind;
typedef struct pti_rnn {
  pt_dtype dtype;
  pti_rnn_kind kind;
  int64_t t, n, h;
  const int64_t *batch; /* rows of each step, or NULL: n */
  bool reverse;
} pti_rnn;
typedef struct pti_rnn_data {
  const void *x_gates, *w_hh, *b_hh; /* b_hh: of the GRU only, where it is not part of x_gates */
  void *hn, *cn;                     /* (n, h): initial states, replaced by the last ones */
  void *y, *saved, *h_before;        /* (rows, h), (rows, 4 h), (rows, h) */
  void *cells, *c_before; /* LSTM: tanh of the cell after each step; the cell before it */
  const void *g_y;        /* backward: gradient of y, or NULL */
  void *g_gates,
      *g_pre; /* (rows, gates h): of x_gates, and of h w_hh' + b_hh; one buffer but for the GRU */
  void *g_h0,
      *g_c0; /* (n, h): gradients of the last states, replaced by those of the initial ones */
} pti_rnn_data;

/* Formats of weights in blocks with scales of their own: ROW(name, what scripts call it, numbers and bytes of a block).
   blocks.h has the layouts. */
#define PTI_BLOCK_KINDS(ROW)  \
  ROW(Q8_0, "q8_0", 32, 34)   \
  ROW(Q4_0, "q4_0", 32, 18)   \
  ROW(Q4_K, "q4_k", 256, 144) \
  ROW(Q6_K, "q6_k", 256, 210)
typedef enum {
#define ROW(name, word, numbers, bytes) PTI_##name,
  PTI_BLOCK_KINDS(ROW) PTI_NBLOCK_FORMAT
#undef ROW
} pti_block_format;
typedef struct pti_block_kind {
  const char *name;
  int numbers, bytes; /* of one block */
} pti_block_kind;
static const pti_block_kind pti_block_kinds[PTI_NBLOCK_FORMAT] = {
#define ROW(name, word, numbers, bytes) {word, numbers, bytes},
    PTI_BLOCK_KINDS(ROW)
#undef ROW
};
/* y (m, n) = x (m, k) w' + bias, x and y float32, w (n, k) in blocks along k; bias may be NULL. */
typedef struct pti_block_linear {
  pti_block_format format;
  int64_t m, n, k;
} pti_block_linear;

/* See kernels/cpu/attention/attention.c. */
typedef struct pti_attention {
  pt_dtype dtype;
  int64_t b, h, hk, lq, lk, d, dv;
  double scale, dropout;
  bool causal;      /* row i looks at columns 0 .. i */
  const void *mask; /* added to the scores, or NULL */
  int64_t mask_stride[4];
  uint64_t seed, stream, ctr; /* of dropout */
} pti_attention;

typedef enum {
  PTI_SUM,
  PTI_PROD,
  PTI_MAX,
  PTI_MIN,
  PTI_ANY,
  PTI_ALL,
  PTI_ARGMAX,
  PTI_ARGMIN,
  PTI_NORM, /* the root of the sum of squares */
  PTI_NREDUCE
} pti_reduction;

/* c (m, n) = alpha a b + beta c, row-major, one of `batch` problems; a is stored (k, m) where ta, b
   (n, k) where tb. */
typedef struct pti_gemm {
  pt_dtype dtype;
  bool ta, tb;
  int64_t m, n, k, lda, ldb, ldc; /* leading dimensions in elements */
  int64_t batch, sa, sb, sc;      /* distance between problems in elements */
  double alpha, beta;
  const void *a, *b;
  void *c;
  const void *bias; /* of c's dtype, added to each row, or NULL; only where the backend adds_bias */
} pti_gemm;

/* One factorization or solution for each matrix of a batch. Matrices are stored by columns, without
   gaps, one after another; k is min(m, n) unless it counts right-hand sides.
   CHOLESKY  a (n, n): becomes its lower factor; only its lower triangle is read
   LU        a (m, n): becomes both factors; pivot (k), rows counted from 1
   LU_SOLVE  a (n, n), pivot: factors; b (n, k): becomes the solution
   TRIANGLE  a (n, n): triangular (upper, unit); b (n, k): becomes the solution
   QR        a (m, n): scratch; b (r, n): R; c (m, r): Q; r is m where `full`, else k
   EIGH      a (n, n): its lower triangle is read; becomes the vectors where `full`; b (n): values,
             ascending
   SVD       a (m, n): scratch; b (k): values, descending; c (m, r): U; d (q, n): V', or NULL
   EIG       a (n, n): scratch; b (n): values; c (n, n): vectors, both complex
   info (1): 0, or where the algorithm stopped. */
typedef enum {
  PTI_CHOLESKY,
  PTI_LU,
  PTI_LU_SOLVE,
  PTI_TRIANGLE,
  PTI_QR,
  PTI_EIGH,
  PTI_SVD,
  PTI_EIG
} pti_factor_kind;
typedef struct pti_factor {
  pti_factor_kind kind;
  pt_dtype dtype; /* of a: a float or complex one; values of EIGH and SVD are real */
  int64_t batch, m, n, k;
  bool upper, unit, full;
  void *a, *b, *c, *d;
  int32_t *pivot, *info;
} pti_factor;

/* n-point transforms along the middle dim of (outer, n, inner), times `scale`; dtype is that of the
   real numbers. COMPLEX: both ways, without 1 / n. FROM_REAL: n reals to the first n / 2 + 1 of their
   transform, inner 1. TO_REAL: back, taking these for half of a spectrum that is conjugate to
   itself. See kernels/cpu/fft/fft.c. */
typedef enum { PTI_FFT_COMPLEX, PTI_FFT_FROM_REAL, PTI_FFT_TO_REAL } pti_fft_kind;
typedef struct pti_fft {
  pti_fft_kind kind;
  pt_dtype dtype;
  bool inverse;
  int64_t outer, n, inner;
  double scale;
} pti_fft;

/* (outer, n, inner) views of dense tensors, the work being along n. */
typedef struct pti_rows {
  pt_dtype dtype;
  int64_t outer, n, inner;
} pti_rows;

/* A convolution; missing dims are leading ones of size 1. See kernels/cpu/conv/conv.c. */
typedef struct pti_conv {
  pt_dtype dtype;
  int64_t n, c, o, groups;
  int64_t in[3], out[3], k[3], stride[3], pad[3], dil[3];
} pti_conv;

/* Sequences of labels (n, longest), counted from `base`, under log-probabilities (t, n, c). */
typedef struct pti_ctc {
  pt_dtype dtype; /* float32 or float64 */
  int64_t t, n, c, longest, blank;
  int base;
} pti_ctc;

/* Rows of n elements, each normalised; weights by column: n / inner of them for each of `period`
   rows in turn. */
typedef struct pti_norm {
  pt_dtype dtype;
  int64_t rows, n, inner, period;
  bool rms; /* no mean is subtracted */
  double eps;
} pti_norm;

/* Pooling windows; missing dims are leading ones of size 1. See kernels/cpu/pooling/pooling.c. */
typedef struct pti_window {
  pt_dtype dtype;
  int64_t planes, in[3], out[3], k[3], stride[3], pad[3], dil[3];
  bool adaptive, count_pad;
  double divisor; /* 0: the number of elements */
} pti_window;

typedef enum {
  PTI_RAND_UNIFORM,
  PTI_RAND_NORMAL,
  PTI_RAND_INT,
  PTI_RAND_BERNOULLI,
  PTI_RAND_EXPONENTIAL,
  /* Of PyTorch's generator alone; Philox's numbers are made into these by functions in Lua. */
  PTI_RAND_NORMAL_SINGLY, /* the numbers that a tensor gets whose elements do not lie side by side */
  PTI_RAND_INT_ANY,       /* all integers from 0 that the dtype holds */
  PTI_RAND_CAUCHY,
  PTI_RAND_LOG_NORMAL,
  PTI_RAND_GEOMETRIC,
  /* One number for each element of p (and q). */
  PTI_RAND_BERNOULLI_EACH,
  PTI_RAND_POISSON_EACH,
  PTI_RAND_BINOMIAL_EACH, /* p trials of probability q */
  PTI_RAND_GAMMA_EACH
} pti_random_kind;

/* Numbers of PyTorch's generator: n of them into x, dense. */
struct pti_twister;
typedef struct pti_twister_draw {
  pti_random_kind kind;
  pt_dtype dtype; /* of x, p and q */
  int64_t n;
  void *x;
  const void *p, *q; /* of the kinds that end in EACH, whose values were checked */
  double a, b;       /* of the others */
} pti_twister_draw;

/* One tensor of a fused optimizer step; all dense, all of one floating dtype. */
typedef struct pti_param {
  pt_dtype dtype;
  int64_t n;
  void *p;
  const void *g;
  /* States. SGD: momentum buffer; Adam: first and second moment, largest second moment; rules: in optim.h. */
  void *s[3];
  double step; /* number of this step, from 1 */
  double c[3]; /* rules: derived by the engine from the step's number */
} pti_param;
typedef struct pti_sgd {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize, first; /* first: buffers take the gradient as it is */
} pti_sgd;
typedef struct pti_adam {
  double lr, beta1, beta2, eps, weight_decay;
  bool amsgrad, decoupled /* AdamW */, maximize;
} pti_adam;

/* The other optimizers: options under PyTorch's names. */
typedef enum {
  PTI_RMSPROP,
  PTI_ADAGRAD,
  PTI_ADADELTA,
  PTI_ADAMAX,
  PTI_NADAM,
  PTI_RADAM,
  PTI_RPROP,
  PTI_ASGD,
  PTI_LION
} pti_rule_kind;
typedef struct pti_rule {
  pti_rule_kind kind;
  double lr, weight_decay, eps, momentum;
  double beta1,
      beta2; /* of the first and the second moment; beta2 is also RMSprop's alpha and Adadelta's rho */
  double lr_decay, initial_accumulator_value, momentum_decay, lambd, alpha, t0;
  double shrink, grow, step_min, step_max; /* Rprop: etas, step_sizes */
  bool centered, decoupled, maximize;
} pti_rule;

/* What the engine offers to a backend. */
typedef struct pt_host {
  uint32_t abi;
  bool (*fail)(pt_status code, const char *format, ...); /* returns false */
  void (*parallel_for)(int64_t n, int64_t grain, void (*fn)(void *, int64_t, int64_t), void *ctx);
  bool (*poll)(void);
  void *(*alloc)(size_t bytes); /* host memory, 64-byte aligned */
  void (*free)(void *block, size_t bytes);
  const char *(*dtype_name)(pt_dtype dtype);
} pt_host;

typedef struct pt_backend {
  uint32_t abi;
  const char *name;   /* "cpu", "cuda", "sim" */
  const char *hash;   /* PTI_HASH: a plug-in built from other rows, slots or arguments is refused */
  int (*count)(void); /* devices */

  /* Memory; `dev` counts from 0 within the backend. The CPU has none of this but alloc .. sync. */
  void *(*alloc)(int dev, size_t bytes);
  void (*free)(int dev, void *block, size_t bytes);
  bool exact; /* freed blocks are returned at once: the device checks each */
  /* conv, norm, pooling, attention and what goes by channel take float16 and bfloat16 as they are and
     compute in float; statistics and what goes by channel are float32 then, as is a mask */
  bool halves;
  bool adds_bias; /* gemm adds a bias to the rows of its result */
  /* its name, its free and total memory */
  bool (*describe)(int dev, char *name, size_t size, size_t *free, size_t *total);
  /* memory of the host that is pinned: copies from and to it run while the host does other work */
  void *(*pin)(int dev, size_t bytes);
  void (*unpin)(int dev, void *block);

  /* Copies, in the order of the thread's stream. to_host waits unless `later` (then dst is pinned and
     is not read before the stream came so far). from_host has read a src that is not pinned when it
     returns. peer: from device `from` of this backend, in the order of both streams. */
  bool (*to_host)(int dev, void *dst, const void *src, size_t bytes, bool later);
  bool (*from_host)(int dev, void *dst, const void *src, size_t bytes);
  bool (*peer)(int dev, void *dst, int from, const void *src, size_t bytes);

  /* Order. A thread's work goes to one stream: its own, or one it has chosen. Streams are never
     freed. A mark is a place in a stream, reached when all work before it is done. */
  bool (*sync)(int dev);     /* waits for the thread's stream */
  bool (*sync_all)(int dev); /* waits for all streams of the device */
  void *(*stream)(int dev);  /* the thread's stream; NULL after host->fail, as all of these */
  void *(*stream_new)(int dev);
  void (*stream_use)(int dev, void *stream); /* NULL: the thread's own */
  void *(*mark)(int dev, void *stream, bool timed);
  int (*mark_done)(int dev, void *mark, bool wait); /* 1, 0 not yet, -1 after host->fail */
  bool (*mark_before)(int dev, void *mark,
                      void *stream); /* work queued on the stream from now on follows the mark */
  bool (*mark_time)(int dev, void *from, void *to,
                    double *ms); /* between timed marks that were reached */
  void (*mark_free)(int dev, void *mark);

  const struct pti_slots *slots; /* its kernels (slots.h) */
} pt_backend;

/* What a plug-in exports: its table, or NULL after host->fail (of another `abi`: just NULL). */
#define PT_BACKEND_ENTRY "pt_backend_open"
typedef const pt_backend *pt_backend_opener(uint32_t abi, const pt_host *host);

/* The CPU's table (kernels/cpu/backend.c). */
const pt_backend *pti_cpu_backend(const pt_host *host);

#endif
