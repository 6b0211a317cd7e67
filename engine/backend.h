/* backend.h: what a device must be able to do. The CPU (kernels/cpu) fills this table, a plug-in
   fills another; the engine knows no other way to compute. Kernels get shapes that were checked,
   outputs that were allocated, and pointers of their own device. A slot returns false after
   host->fail. A NULL slot is "not on this device". */
#ifndef PTI_BACKEND_H
#define PTI_BACKEND_H

#include "dtype.h"
#include "iter.h"

#define PT_BACKEND_ABI 2

/* Element-wise kernels are numbered as the rows of ops.def (PTI_EW_add, ...); `which` 0 is the
   value, 1.. the gradient of the first, second, third input. */
#include "ptlua_ew.h"

typedef enum { PTI_SCAN_SUM, PTI_SCAN_PROD, PTI_SCAN_MAX, PTI_SCAN_MIN } pti_scan;

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
  void *hn, *cn;                     /* (n, h): initial states that become the last ones */
  void *y, *saved, *h_before;        /* (rows, h), (rows, 4 h), (rows, h) */
  void *cells, *c_before; /* LSTM: tanh of the cell after each step; the cell before it */
  const void *g_y;        /* backward: gradient of y, or NULL */
  void *g_gates,
      *g_pre; /* (rows, gates h): of x_gates, and of h w_hh' + b_hh; one buffer but for the GRU */
  void *g_h0,
      *g_c0; /* (n, h): gradients of the last states that become those of the initial ones */
} pti_rnn_data;

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
  PTI_SUMSQ,
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

/* A convolution; dims that it does not have are leading ones of size 1. See kernels/cpu/conv/conv.c. */
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

/* Pooling windows; dims that there are not are leading ones of size 1. See kernels/cpu/pooling/pooling.c. */
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
  PTI_RAND_EXPONENTIAL
} pti_random_kind;

/* One tensor of a fused optimizer step; all dense, all of one floating dtype. */
typedef struct pti_param {
  pt_dtype dtype;
  int64_t n;
  void *p;
  const void *g;
  void *s
      [3]; /* SGD: momentum buffer; Adam: first and second moment, largest second moment; rules: in optim.h */
  double step; /* number of this step, from 1 */
  double c[3]; /* rules: what the engine made of the step's number */
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
  const char *name;       /* "cpu", "cuda", "sim" */
  const char *table_hash; /* of ops.def; one built from another list is refused */
  int (*count)(void);     /* devices */

  /* Memory; `dev` counts from 0 within the backend. The CPU has none of this but alloc .. sync. */
  void *(*alloc)(int dev, size_t bytes);
  void (*free)(int dev, void *block, size_t bytes);
  bool exact; /* freed blocks are given back at once: the device watches each */
  /* conv, norm, pooling, attention and what goes by channel take float16 and bfloat16 as they are and
     compute in float; statistics and what goes by channel are float32 then, as is a mask */
  bool halves;
  /* what it is called, its free and total memory */
  bool (*describe)(int dev, char *name, size_t size, size_t *free, size_t *total);
  /* memory of the host that is pinned: copies from and to it go on while the host does other work */
  void *(*pin)(int dev, size_t bytes);
  void (*unpin)(int dev, void *block);

  /* Copies, in the order of the thread's stream. to_host waits unless `later` (then dst is pinned and
     is not read before the stream came so far). from_host has read a src that is not pinned when it
     returns. peer: from device `from` of this backend, in the order of both streams. */
  bool (*to_host)(int dev, void *dst, const void *src, size_t bytes, bool later);
  bool (*from_host)(int dev, void *dst, const void *src, size_t bytes);
  bool (*peer)(int dev, void *dst, int from, const void *src, size_t bytes);

  /* Order. A thread's work goes to one stream: its own, or the one that it chose. Streams are never
     freed. A mark is a place in a stream, and is reached when all before it is done. */
  bool (*sync)(int dev);     /* waits for the thread's stream */
  bool (*sync_all)(int dev); /* waits for all streams of the device */
  void *(*stream)(int dev);  /* the thread's stream; NULL after host->fail, as all of these */
  void *(*stream_new)(int dev);
  void (*stream_use)(int dev, void *stream); /* NULL: the thread's own */
  void *(*mark)(int dev, void *stream, bool timed);
  int (*mark_done)(int dev, void *mark, bool wait); /* 1, 0 not yet, -1 after host->fail */
  bool (*mark_before)(int dev, void *mark,
                      void *stream); /* what the stream is given from now on comes after the mark */
  bool (*mark_time)(int dev, void *from, void *to,
                    double *ms); /* of timed ones that were reached */
  void (*mark_free)(int dev, void *mark);

  /* element-wise: operand 0 is written, the rest are read; any dtypes, computed in `compute`;
     param: constants */
  bool (*ew)(int dev, int op, int which, pti_compute compute, const pti_iter *it,
             const double *param);
  /* operand 0 = operand 1, converted */
  bool (*copy)(int dev, const pti_iter *it);
  bool (*fill)(int dev, const pti_iter *it, double value,
               int64_t ivalue); /* ivalue for integer dtypes */
  /* operand 0 (stride 0 in the reduced dims) = reduction of operand 1 over them; args write int64,
     counted from `base` in the order of the reduced dims. An empty reduction gives the neutral
     element. `scale` multiplies the result (mean). */
  bool (*reduce)(int dev, pti_reduction kind, const pti_iter *it, double scale, int base);
  /* value and position of the extreme along dim n (first of equals; NaN wins) */
  bool (*extreme)(int dev, pti_rows r, bool max, const void *x, void *value, int64_t *index,
                  int base);
  bool (*gemm)(int dev, const pti_gemm *g);
  bool (*factor)(int dev, const pti_factor *f);
  /* operand 0 = operand 1 times operand 2, all of one complex dtype */
  bool (*complex_mul)(int dev, const pti_iter *it);
  bool (*fft)(int dev, const pti_fft *p, const void *x, void *y);
  bool (*softmax)(int dev, pti_rows r, bool log, const void *x, void *y);
  bool (*softmax_grad)(int dev, pti_rows r, bool log, const void *y, const void *g, void *gx);
  /* ids are int64 counted from `base`, checked; negative ids count from the end where `wrap` */
  /* y[o, i, :] = x[o, id[i], :]   (outer, k, inner) from (outer, n, inner) */
  bool (*index_select)(int dev, pti_rows r, const void *x, const int64_t *id, int64_t k, void *y,
                       int base, bool wrap);
  /* y[o, id[i], :] += x[o, i, :], in the order of i */
  bool (*index_add)(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                    int base, bool wrap);
  /* y[o, id[i], :] = x[o, i, :]; the last of equal ids wins */
  bool (*index_copy)(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                     int base, bool wrap);
  /* y[o, i, j] = x[o, id[o, i, j], j]   id and y (outer, k, inner) */
  bool (*gather)(int dev, pti_rows r, const void *x, const int64_t *id, int64_t k, void *y,
                 int base);
  /* y[o, id[o, i, j], j] (+)= x[o, i, j] */
  bool (*scatter)(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                  int base, bool add);
  /* positions (from `base`, int64, (count, nd)) of the true elements of a dense bool tensor; two
     calls: count, write */
  bool (*nonzero)(int dev, int nd, const int64_t *size, const uint8_t *x, int64_t *count,
                  int64_t *out, int base);
  /* x (n) dense of `dtype`; uniform in [a, b), normal mean a std b, integers in [a, b), bernoulli p
     = a */
  bool (*random)(int dev, pti_random_kind kind, pt_dtype dtype, void *x, int64_t n, uint64_t seed,
                 uint64_t stream, uint64_t ctr, double a, double b);
  bool (*arange)(int dev, pt_dtype dtype, void *x, int64_t n, double start, double step,
                 int64_t istart, int64_t istep);
  bool (*sgd)(int dev, const pti_param *p, int n, const pti_sgd *h);
  bool (*adam)(int dev, const pti_param *p, int n, const pti_adam *h);
  bool (*rule)(int dev, const pti_param *p, int n, const pti_rule *h);
  /* loss[i] = -weight[t] logp[i, t, j], t = target[i, j] checked; total weight in *wsum per element
     w (outer, inner) */
  bool (*nll)(int dev, pti_rows r, const void *logp, const int64_t *target, const void *weight,
              int64_t ignore, void *loss, void *w, int base);
  bool (*nll_grad)(int dev, pti_rows r, const int64_t *target, const void *gloss, const void *w,
                   void *gx, int base);
  /* loss (n): minus the log likelihood of the first lengths[i] labels within steps[i] steps; gx (t, n,
     c), its gradient, may be NULL. All lengths and labels were checked. */
  bool (*ctc)(int dev, const pti_ctc *p, const void *x, const int64_t *labels, const int64_t *steps,
              const int64_t *lengths, void *loss, void *gx);
  /* y (n, o, out) = conv of x (n, c, in) with w (o, c / groups, k); its gradients for x and w; bias
     may be NULL */
  bool (*conv)(int dev, const pti_conv *p, const void *x, const void *w, const void *bias, void *y);
  bool (*conv_data)(int dev, const pti_conv *p, const void *g, const void *w, const void *bias,
                    void *x);
  bool (*conv_weight)(int dev, const pti_conv *p, const void *x, const void *g, void *w);
  /* y = (x - mean) rstd w + b; w and b may be NULL. norm_grad: gx, gw, gb may be NULL */
  bool (*norm)(int dev, const pti_norm *p, const void *x, const void *w, const void *b, void *y,
               void *mean, void *rstd);
  bool (*norm_grad)(int dev, const pti_norm *p, const void *x, const void *w, const void *g,
                    const void *mean, const void *rstd, void *gx, void *gw, void *gb);
  bool (*max_pool)(int dev, const pti_window *p, const void *x, void *y, int64_t *index, int base);
  bool (*avg_pool)(int dev, const pti_window *p, const void *x, void *y);
  bool (*avg_pool_grad)(int dev, const pti_window *p, const void *g, void *gx);
  /* lse (b, h, lq): log of the sum of exponentials of each row */
  bool (*attention)(int dev, const pti_attention *p, const void *q, const void *k, const void *v,
                    void *y, void *lse);
  bool (*attention_grad)(int dev, const pti_attention *p, const void *q, const void *k,
                         const void *v, const void *y, const void *lse, const void *g, void *gq,
                         void *gk, void *gv);
  /* the first k of each line in stable order, and where they came from */
  bool (*sort)(int dev, pti_rows r, bool descending, const void *x, int64_t k, void *y,
               int64_t *index, int base);
  /* x and y of a compute type; index only for extremes */
  bool (*scan)(int dev, pti_rows r, pti_scan kind, bool reverse, const void *x, void *y,
               int64_t *index, int base);
  /* place of each of `count` values in its sorted line of r.n (one line for all where r.outer is 1) */
  bool (*search)(int dev, pti_rows r, bool right, const void *sorted, const void *values,
                 int64_t count, int64_t per_line, int64_t *index, int base);
  bool (*rnn)(int dev, const pti_rnn *p, const pti_rnn_data *d);
  bool (*rnn_grad)(int dev, const pti_rnn *p, const pti_rnn_data *d);
  /* by channel: x (outer, n, inner), n channels. Mean and biased variance; sums of g and of g (x -
     mean); a x + b z + c, where b and z may be NULL */
  bool (*channel_moments)(int dev, pti_rows r, const void *x, void *mean, void *var);
  bool (*channel_dots)(int dev, pti_rows r, const void *g, const void *x, const void *mean,
                       void *sum, void *dot);
  bool (*channel_affine)(int dev, pti_rows r, const void *a, const void *x, const void *b,
                         const void *z, const void *c, void *y);
} pt_backend;

/* What a plug-in exports: its table, or NULL after host->fail (of another `abi`: just NULL). */
#define PT_BACKEND_ENTRY "pt_backend_open"
typedef const pt_backend *pt_backend_opener(uint32_t abi, const pt_host *host);

/* The CPU's table (kernels/cpu/backend.c). */
const pt_backend *pti_cpu_backend(const pt_host *host);

#endif
