/* ptlua.h: the one public header. Types, errors, tensors, autograd, the ops of the table, and Lua
   states for hosts (pt_vm_*). It includes only standard headers and can be read by C++.

   Rules that hold everywhere:
   - A function that can fail returns NULL or false and leaves code and text in pt_error_code() and
     pt_error(). Functions accept NULL tensors and then return NULL, so a chain is checked once.
   - A tensor that a function returns belongs to the innermost open scope of the thread (pt_scope_begin)
     and lives until that scope ends; pt_retain keeps it longer, pt_release drops what was retained.
   - Dims and ids count from 0 here (from 1 in Lua; see pt_set_index_base).
   - A tensor and its graph belong to one thread at a time. pt_parcel moves values between threads. */
#ifndef PTLUA_H
#define PTLUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(PT_BUILD) && defined(__GNUC__)
#define PT_API __attribute__((visibility("default")))
#else
#define PT_API
#endif

#define PT_VERSION "0.1.0"
#define PT_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */
#define PT_MAX_DIM 8

/* ---- errors ---- */

typedef enum pt_status {
  PT_OK,
  PT_EARG,       /* an argument has the wrong type or value */
  PT_ESHAPE,     /* shapes do not fit together */
  PT_EDTYPE,     /* dtypes do not fit together */
  PT_EINDEX,     /* an index, label or id is out of range */
  PT_EMEMORY,    /* out of memory, or over the limit that was set */
  PT_EGRAD,      /* the graph does not allow it */
  PT_EDEVICE,    /* no such device, or the device failed */
  PT_EIO,        /* a file could not be read or written */
  PT_ELUA,       /* a Lua error */
  PT_EINTERRUPT, /* stopped from outside: Ctrl-C, pt_vm_interrupt */
  PT_ETIME       /* a limit of time or instructions was reached */
} pt_status;

/* Code and text of the thread's last failure; the text is never NULL. */
PT_API pt_status pt_error_code(void);
PT_API const char *pt_error(void);
/* Those of the library that runs, as PT_VERSION and PT_VERSION_NUMBER are those of the header. */
PT_API const char *pt_version(void);
PT_API int pt_version_number(void);

/* ---- dtypes and devices ---- */

typedef enum pt_dtype {
  PT_F32,
  PT_F64,
  PT_F16,
  PT_BF16,
  PT_I64,
  PT_I32,
  PT_I16,
  PT_I8,
  PT_U8,
  PT_BOOL,
  PT_C64,
  PT_C128,
  PT_NDTYPE
} pt_dtype;

PT_API const char *pt_dtype_name(pt_dtype dtype); /* "float32", ... */
PT_API size_t pt_dtype_size(pt_dtype dtype);      /* bytes of one element */

/* A device is a small number; 0 is the CPU. pt_device reads "cpu", "cuda", "cuda:1", "sim:0"; -1 on
   failure. */
PT_API int pt_device(const char *name);
PT_API const char *pt_device_name(int device);
/* The number of devices of "cpu", "cuda" or "sim"; -1, with the reason recorded, where it is not available. */
PT_API int pt_device_count(const char *backend);
PT_API bool pt_device_synchronize(int device); /* waits for all work queued on it */
/* What "cuda" or "sim" without a number means in this thread: the first, until one is set. */
PT_API bool pt_set_device(int device);
PT_API int pt_current_device(const char *backend);

typedef struct pt_device_stats {
  int64_t live_bytes;     /* in storages now */
  int64_t peak_bytes;     /* their highest total so far */
  int64_t reserved_bytes; /* taken from the device: live, or kept for reuse */
  int64_t free_bytes, total_bytes;
  char name[64];
} pt_device_stats;
PT_API bool pt_get_device_stats(int device, pt_device_stats *out); /* not of the CPU */
PT_API void pt_reset_device_peak(int device);
PT_API void pt_device_empty_cache(void); /* returns cached memory to all devices */

/* ---- streams ---- */

/* Work on one stream runs in the order in which it was queued, work on two streams in any order. A thread's work goes
   to a stream of its own on each device, or to the one it has chosen. Streams are handed out in turn, 32 per device,
   and never freed. device -1: a failure. */
typedef struct pt_stream {
  int device;
  void *handle;
} pt_stream;
PT_API pt_stream pt_stream_new(int device);
PT_API pt_stream pt_stream_current(int device);
PT_API pt_stream pt_stream_default(int device); /* the thread's own */
PT_API bool pt_stream_use(pt_stream s);         /* this thread, from now on */
PT_API bool pt_stream_synchronize(pt_stream s);
PT_API int pt_stream_query(pt_stream s); /* 1: all is done, 0: not yet, -1: it failed */
PT_API bool pt_stream_wait(pt_stream later, pt_stream earlier);

/* A place in a stream. One that was never recorded counts as reached. */
typedef struct pt_event pt_event;
PT_API pt_event *pt_event_new(bool timed);
PT_API void pt_event_free(pt_event *e);
PT_API bool pt_event_record(pt_event *e, pt_stream s);
PT_API bool pt_stream_wait_event(pt_stream s, const pt_event *e);
PT_API int pt_event_query(const pt_event *e); /* as pt_stream_query */
PT_API bool pt_event_synchronize(const pt_event *e);
PT_API bool pt_event_elapsed(const pt_event *from, const pt_event *to, double *ms);

/* ---- settings ---- */

PT_API void pt_set_num_threads(int n); /* threads that tensor loops may use, 1 .. 256 */
PT_API int pt_get_num_threads(void);
PT_API const char *pt_cpu_level(void); /* "base", "avx2", "avx512", "avx512_bf16" or "amx" */
PT_API bool pt_set_cpu_level(const char *level); /* forces a level that the machine has */
/* Whether float32 convolutions with 3x3 windows may use Winograd's F(4x4, 3x3), as they do where it is faster: 1.4 to 3
   times as fast with stride 1, up to 1.4 times with stride 2, with errors of 1e-6 to 3e-6 of the largest output, twice
   those of a direct sum. Applies to the whole process; initially on. */
PT_API void pt_set_conv_winograd(bool on);
PT_API bool pt_get_conv_winograd(void);
PT_API double pt_clock(void);              /* monotonic seconds */
PT_API void pt_manual_seed(uint64_t seed); /* of the thread's default generator */
/* The same; from now on the generator draws what torch.manual_seed(seed) has PyTorch draw on the CPU, in order, on one
   thread. False after an error. */
PT_API bool pt_manual_seed_pytorch(uint64_t seed);
PT_API void pt_set_memory_limit(size_t bytes); /* for tensors of the whole process; 0: no limit */

typedef struct pt_memory_stats {
  int64_t live_bytes; /* in storages now */
  int64_t peak_bytes; /* the most that was taken from the system */
  int64_t held_bytes; /* taken from the system now, live or kept for reuse */
  int64_t tensors;    /* live tensor objects */
  int64_t nodes;      /* live nodes of graphs */
} pt_memory_stats;
PT_API void pt_get_memory_stats(pt_memory_stats *out);

/* What index tensors, dims in messages and results of argmax count from, for this thread: 0 or 1. */
PT_API void pt_set_index_base(int base);
PT_API int pt_index_base(void);

/* ---- tensors ---- */

typedef struct pt_tensor pt_tensor;
typedef struct pt_node pt_node;

/* Scopes nest; ending one ends those opened inside it and releases what they own. */
typedef int pt_scope;
PT_API pt_scope pt_scope_begin(void);
PT_API void pt_scope_end(pt_scope scope);
PT_API pt_tensor *pt_retain(pt_tensor *x);
PT_API void pt_release(pt_tensor *x);

/* A new dense tensor, contents undefined, on `device`. */
PT_API pt_tensor *pt_empty(const int64_t *size, int nd, pt_dtype dtype, int device);
PT_API pt_tensor *pt_zeros(const int64_t *size, int nd, pt_dtype dtype, int device);
PT_API pt_tensor *pt_ones(const int64_t *size, int nd, pt_dtype dtype, int device);
PT_API pt_tensor *pt_full(const int64_t *size, int nd, double value, pt_dtype dtype, int device);
/* A number as a tensor that follows PyTorch's rules for Python numbers when dtypes are promoted. */
PT_API pt_tensor *pt_scalar(double value);
PT_API pt_tensor *pt_scalar_int(int64_t value);
/* A dense copy of `data`, which holds elements of `dtype` in row-major order. */
PT_API pt_tensor *pt_from_data(const void *data, const int64_t *size, int nd, pt_dtype dtype);
/* A tensor over the host's own memory (row-major). `release(ud)` runs once, in any thread, when the
   memory is no longer used, and also when this call fails; it may be NULL. */
PT_API pt_tensor *pt_from_host(void *data, const int64_t *size, int nd, pt_dtype dtype,
                               void (*release)(void *ud), void *ud);

/* The same with strides, in elements and not negative; NULL: row-major. */
PT_API pt_tensor *pt_from_host_strided(void *data, const int64_t *size, const int64_t *stride,
                                       int nd, pt_dtype dtype, void (*release)(void *ud), void *ud);
/* Tensors from and for other libraries, by DLPack 1.1, without a copy: both sides see writes. The consumer of a result
   of pt_to_dlpack calls its deleter once. pt_from_dlpack takes ownership of its argument, even when it fails. The
   unversioned structs are those of DLPack before 1.0. */
PT_API struct DLManagedTensorVersioned *pt_to_dlpack(pt_tensor *x);
PT_API pt_tensor *pt_from_dlpack(struct DLManagedTensorVersioned *m);
PT_API struct DLManagedTensor *pt_to_dlpack_unversioned(pt_tensor *x);
PT_API pt_tensor *pt_from_dlpack_unversioned(struct DLManagedTensor *m);

PT_API int pt_ndim(const pt_tensor *x);
PT_API int64_t pt_size(const pt_tensor *x, int dim);
PT_API int64_t pt_stride(const pt_tensor *x, int dim); /* in elements */
PT_API int64_t pt_numel(const pt_tensor *x);
PT_API pt_dtype pt_dtype_of(const pt_tensor *x);
PT_API int pt_device_of(const pt_tensor *x);
PT_API bool pt_is_contiguous(const pt_tensor *x);
/* The first element, for reading; NULL where the tensor is not on the CPU. */
PT_API const void *pt_data(const pt_tensor *x);
/* The same for writing: makes the memory private first where it is shared by value, and counts as
   an in-place edit. */
PT_API void *pt_data_mut(pt_tensor *x);
/* x in pinned host memory: copies to and from `device` need not wait. */
PT_API pt_tensor *pt_pin_memory(pt_tensor *x, int device);
PT_API bool pt_is_pinned(const pt_tensor *x);
/* The stream uses x's memory: it is not reused before the stream has finished the work queued so far. Ops record the
   streams they run on; this is for a host's own kernels. */
PT_API bool pt_record_stream(pt_tensor *x, pt_stream s);
/* The value of a tensor of one element. */
PT_API bool pt_item(const pt_tensor *x, double *out);
PT_API bool pt_item_int(const pt_tensor *x, int64_t *out);

/* ---- autograd ---- */

PT_API bool pt_set_requires_grad(pt_tensor *x, bool on); /* leaves of floating dtype only */
PT_API bool pt_requires_grad(pt_tensor *x);
PT_API bool pt_is_leaf(pt_tensor *x);
PT_API pt_tensor *pt_grad(pt_tensor *x);                /* NULL where there is none; not an error */
PT_API bool pt_set_grad(pt_tensor *x, pt_tensor *grad); /* NULL clears */
PT_API bool pt_set_grad_enabled(bool on);               /* this thread; returns what it was */
PT_API bool pt_grad_enabled(void);
/* Nothing is recorded, and tensors created meanwhile may never take part in a graph, nor be edited outside. Returns the
   previous mode; after switching it off, restore pt_set_grad_enabled as well. */
PT_API bool pt_set_inference_mode(bool on);
PT_API bool pt_inference_mode(void);
PT_API bool pt_is_inference(const pt_tensor *x);
/* x drops its history and becomes a leaf; refused for views. */
PT_API bool pt_detach_inplace(pt_tensor *x);

/* Products compute in `dtype` (float16, bfloat16) and ops that need a wide range in float32, for inputs of any floating
   dtype; see engine/autocast.c. For this thread; pt_autocast says whether it is on. */
PT_API bool pt_set_autocast(bool on, pt_dtype dtype);
PT_API bool pt_autocast(pt_dtype *dtype);

enum { PT_RETAIN_GRAPH = 1, PT_CREATE_GRAPH = 2, PT_ALLOW_UNUSED = 4 };
/* Adds d y / d leaf to the grad of every leaf. y has one element, or `grad` (same shape) is given. */
PT_API bool pt_backward(pt_tensor *y);
PT_API bool pt_backward_with(pt_tensor *const *y, pt_tensor *const *grad, int n, int flags);
/* The same for the grad of x[0 .. nx-1] alone, which may be results of ops. */
PT_API bool pt_backward_to(pt_tensor *const *y, pt_tensor *const *grad, int n, pt_tensor *const *x,
                           int nx, int flags);
/* gx[i] = d (sum of y) / d x[i], scope-owned, grads left alone; NULL for an unused x under
   PT_ALLOW_UNUSED. */
PT_API bool pt_grad_of(pt_tensor *const *y, pt_tensor *const *grad, int ny, pt_tensor *const *x,
                       int nx, int flags, pt_tensor **gx);

/* x, the result of an op, keeps its gradient as a leaf does. */
PT_API bool pt_retain_grad(pt_tensor *x);
PT_API bool pt_retains_grad(const pt_tensor *x);

/* Hooks. `fn` sees the gradient of x when it is complete (a leaf's, too, while the walk goes on elsewhere), may put
   another of the same shape in its place (scope-owned), and stops the walk by returning false after pt_set_error. For a
   leaf it may put NULL there: the host then sets its grad. With `after`, x is a leaf, and fn is called with its grad
   once the walk has added to it. free(ud) runs when the hook is removed: by pt_remove_hook, with the graph, or (x is no
   leaf) when a backward without PT_RETAIN_GRAPH has used it. Returns a number, 0 on failure. */
typedef bool (*pt_hook_fn)(void *ud, pt_tensor **g);
PT_API int64_t pt_register_hook(pt_tensor *x, bool after, pt_hook_fn fn, void (*free)(void *ud),
                                void *ud);
PT_API void pt_remove_hook(pt_tensor *x, int64_t hook);
/* Within a hook or a function of a walk: fn(ud) is called when all gradients have been computed and before leaves
   receive them; false makes the walk fail. `free` as for hooks, also on failure. */
PT_API bool pt_at_walk_end(bool (*fn)(void *ud), void (*free)(void *ud), void *ud);
/* Records an error of the host's own, for functions that the engine calls. Returns false. */
PT_API bool pt_set_error(pt_status code, const char *message);

/* Functions with a gradient of the host's own. The host computes out from in under pt_set_grad_enabled(false), then
   pt_function_record makes out[k] the results of one call: where an input requires grad, backward calls
   fn->backward. out[k] may be replaced by another tensor of the same value, scope-owned. save[] are tensors that
   backward reads (inputs and outputs keep their history, for higher derivatives). free(ud) runs once, when
   neither graph nor walk needs ud, and also on failure. */
typedef struct pt_function {
  const char *name; /* for messages; as `fn` itself, valid as long as there are graphs of it */
  /* g[k] is the gradient of out[k] (NULL: none); sets gx[i] (scope-owned) for every i that pt_function_wants. */
  bool (*backward)(pt_node *call, pt_tensor *const *g, pt_tensor **gx);
  void (*free)(void *ud); /* or NULL */
  /* An out[k] that is one of in[] was edited in place: it becomes the result itself, not a copy. */
  bool inplace;
} pt_function;
PT_API bool pt_function_record(const pt_function *fn, void *ud, pt_tensor *const *in, int nin,
                               pt_tensor *const *save, int nsave, pt_tensor **out, int nout);
PT_API void *pt_function_data(const pt_node *call);
PT_API void pt_function_counts(const pt_node *call, int *nin, int *nsave, int *nout);
PT_API bool pt_function_wants(const pt_node *call, int in);
PT_API pt_tensor *pt_function_saved(pt_node *call,
                                    int i); /* save[i]; NULL where it has been edited */
/* A gradient of zeros for out[k]. */
PT_API pt_tensor *pt_function_zeros(const pt_node *call, int k);

/* Trades time for memory: calls between begin and end are recorded without what their gradients need. When a walk needs
   it, recompute(ud) repeats the same calls (and must ensure that random numbers are the same). `free` as elsewhere. */
typedef struct pt_checkpoint pt_checkpoint;
PT_API pt_checkpoint *pt_checkpoint_begin(bool (*recompute)(void *ud), void (*free)(void *ud),
                                          void *ud);
PT_API void pt_checkpoint_end(pt_checkpoint *c);

/* Anomaly detection: calls are recorded with their line (see pt_vm), gradients checked for NaN, and the first NaN of
   the calls is kept for the message. Slow. Returns what it was. */
PT_API bool pt_set_detect_anomaly(bool on);
PT_API bool pt_detect_anomaly(void);
PT_API const char *
pt_first_nan(void); /* "log (train.lua:8) at element [1] ...", "" where there was none */

/* ---- optimizers, for training without Lua ---- */

/* Steps of PyTorch's SGD, Adam and AdamW (Adam with `decoupled`) for leaves that require grad, with the gradients that
   backward has left in them; those without one are skipped. The optimizer keeps its parameters alive until it is freed. */
typedef struct pt_optimizer pt_optimizer;
PT_API pt_optimizer *pt_sgd_new(pt_tensor *const *params, int n, double lr, double momentum,
                                double weight_decay, bool nesterov);
PT_API pt_optimizer *pt_adam_new(pt_tensor *const *params, int n, double lr, double beta1,
                                 double beta2, double eps, double weight_decay, bool decoupled);
PT_API bool pt_optimizer_step(pt_optimizer *o);
PT_API void pt_optimizer_zero_grad(pt_optimizer *o); /* the parameters have no gradients then */
PT_API void pt_optimizer_set_lr(pt_optimizer *o, double lr);
PT_API void pt_optimizer_free(pt_optimizer *o);

/* ---- values between threads ---- */

/* A parcel holds a tensor's value (not its graph or grad) for any thread to open, once or many
   times. Nothing is copied: the first side to write gets a private copy, unless the memory is shared
   (pt_share_memory). */
typedef struct pt_parcel pt_parcel;
PT_API pt_parcel *pt_pack(pt_tensor *x);
PT_API pt_tensor *pt_unpack(const pt_parcel *parcel);
PT_API void pt_parcel_free(pt_parcel *parcel);
PT_API bool pt_share_memory(pt_tensor *x); /* from now on all its holders see writes */
PT_API bool pt_is_shared(const pt_tensor *x);

/* ---- files ---- */

/* Named tensors as one safetensors file, written to a temporary name, synced and renamed. `meta` is
   NULL or a list of key, value, ..., NULL. */
PT_API bool pt_save(const char *path, const char *const *name, pt_tensor *const *x, int n,
                    const char *const *meta);
/* A safetensors file that was checked to be complete and consistent. Entries and metadata are numbered from 0. */
typedef struct pt_archive pt_archive;
PT_API pt_archive *pt_archive_open(const char *path);
PT_API void pt_archive_close(pt_archive *a);
PT_API int64_t pt_archive_count(const pt_archive *a);
PT_API const char *pt_archive_name(const pt_archive *a, int64_t i);
PT_API pt_tensor *pt_archive_tensor(const pt_archive *a, int64_t i); /* reads entry i */
/* Key and value of one entry of the metadata; NULL after the last. */
PT_API const char *pt_archive_meta(const pt_archive *a, int64_t i, const char **value);
/* An IDX file (MNIST's format), gzipped or not, with its numbers unchanged. */
PT_API pt_tensor *pt_read_idx(const char *path);
/* The bytes of a file, unpacked where it is gzipped, as a vector of uint8. A gzipped file may unpack to 64 MB and 16
   times its size, or to `max_bytes` (0: that default), which also bounds other files. */
PT_API pt_tensor *pt_read_file(const char *path);
PT_API pt_tensor *pt_read_file_max(const char *path, int64_t max_bytes);
/* Bytes as a file, written as by pt_save; and appended to a file: all of them, or none after a failure. */
PT_API bool pt_write_file(const char *path, pt_tensor *bytes);
PT_API bool pt_write_bytes(const char *path, const void *data, size_t bytes);
PT_API bool pt_append_bytes(const char *path, const void *data, size_t bytes);
/* A PNG or JPEG as uint8 (channels, height, width). `mode` is "UNCHANGED" (NULL), "GRAY", "GRAY_ALPHA", "RGB" or
   "RGB_ALPHA", `name` is used in messages (NULL: "the data"). Images of uint8 as files, still in memory. */
PT_API pt_tensor *pt_decode_image(pt_tensor *bytes, const char *mode, const char *name);
PT_API pt_tensor *pt_encode_png(pt_tensor *image, int level);    /* compression 0 to 9 */
PT_API pt_tensor *pt_encode_jpeg(pt_tensor *image, int quality); /* 1 to 100 */

/* ---- Lua states for hosts ---- */

typedef struct pt_vm pt_vm;

/* What a script may access; each level also forbids what the one before it does. */
typedef enum pt_sandbox {
  PT_SANDBOX_NONE,
  PT_SANDBOX_FILES, /* no files except through open_file; no io, os, debug, C modules, bytecode, finalizers, sockets,
                       and no settings of the process */
  PT_SANDBOX_IO, /* no clock and no threads */
  PT_SANDBOX_PURE /* the same results whenever it runs: seeds are fixed, addresses are not shown, nothing is printed
                       but through on_print */
} pt_sandbox;

/* For open_file: to read; to write from scratch; to append; to list a folder. */
typedef enum pt_open_mode {
  PT_OPEN_READ,
  PT_OPEN_WRITE,
  PT_OPEN_APPEND,
  PT_OPEN_FOLDER
} pt_open_mode;

typedef struct pt_vm_config {
  size_t size; /* sizeof(pt_vm_config): lets the struct grow */
  size_t
      memory_limit; /* bytes of Lua objects, tensors and graphs of the vm and its workers; 0: none */
  uint64_t seed;    /* 0: from the clock; PT_SANDBOX_PURE: 1 */
  bool no_stdlib;   /* as PT_SANDBOX_FILES */
  void (*on_error)(void *ud, pt_status code, const char *message, const char *traceback);
  void *ud; /* of all functions here */
  pt_sandbox sandbox;
  int threads; /* that loops over its tensors may use; 0: as many as the process has */
  /* Of each call from the host, with what workers do meanwhile: PT_ETIME. The clock is looked at every 1000
     instructions and between pieces of tensor loops; instructions are counted by the 1000. 0: no limit. */
  int64_t time_limit_ms, instruction_limit;
  /* Every object of Lua and the memory of every tensor that the vm makes, as lua_Alloc: (NULL, 0, n) makes, (p, n, m)
     resizes, (p, n, 0) frees. Tensors may be made and freed in any thread, and outlive the vm where the host keeps
     them. */
  void *(*alloc)(void *ud, void *block, size_t old_size, size_t size);
  void (*on_print)(void *ud, const char *text,
                   size_t length);            /* instead of stdout: a line with its line end */
  void (*on_log)(void *ud, const char *text); /* warnings */
  /* The source of a module for `require`, called before files are searched; NULL: there is none. It is read
     before the next call of anything here. */
  const char *(*find_module)(void *ud, const char *name, size_t *length);
  /* Opens every file of the library for it: a descriptor, which the library closes, or -1 with errno. It may be called
     in any worker's thread. With it, files are written as they are opened; without it, by a temporary name and a
     rename. NULL in a sandbox: there are no files. Lua's own io, where the sandbox has it, does not call this. */
  int (*open_file)(void *ud, const char *path, pt_open_mode mode);
} pt_vm_config;
PT_API pt_vm *pt_vm_open(const pt_vm_config *config); /* NULL config: defaults */
PT_API void pt_vm_close(pt_vm *vm);
/* `name` is the chunk's name in messages ("=ai", "@file.lua"). */
PT_API pt_status pt_vm_run_string(pt_vm *vm, const char *source, size_t length, const char *name);
/* `path` NULL: the standard input. The script finds argv in `arg` and `...`. Text only. */
PT_API pt_status pt_vm_run_file(pt_vm *vm, const char *path, int argc, const char *const *argv);

/* A handle for any Lua value: nil, a number, a table, a function to call later. It belongs to its vm, and so to one
   thread at a time; once the vm is closed it is nil. The host frees it. */
typedef struct pt_value pt_value;
typedef enum pt_type {
  PT_NIL,
  PT_BOOLEAN,
  PT_INTEGER,
  PT_NUMBER,
  PT_STRING,
  PT_TENSOR,
  PT_TABLE,
  PT_FUNCTION,
  PT_OTHER
} pt_type;

/* Calls the global function `name` ("a.b" walks tables). `format` says what follows: n double, i int64_t, s string,
   S string and its size_t length, b bool (int), z nil and t a new table (nothing follows), T pt_tensor *, V pt_value *
   (NULL: nil). After '>' the results, each by pointer: n, i, s, S, b, T (scope-owned), V (a new handle, the host's).
   Strings stay until the next call. */
PT_API pt_status pt_vm_call(pt_vm *vm, const char *name, const char *format, ...);
PT_API pt_status pt_value_call(pt_value *fn, const char *format, ...);

/* The value at a path from the globals or from a table: "a.b[3].c", "" is the table itself. NULL on failure; a missing
   entry is nil, but indexing nil fails. */
PT_API pt_value *pt_vm_get(pt_vm *vm, const char *path);
PT_API pt_value *pt_value_get(const pt_value *v, const char *path);
/* A value by a letter of a format: pt_vm_new(vm, "n", 0.5), pt_vm_new(vm, "t"). */
PT_API pt_value *pt_vm_new(pt_vm *vm, const char *format, ...);
/* The same, stored at the path; missing tables on the way are created: pt_vm_set(vm, "config.lr", "n", 0.1). */
PT_API pt_status pt_vm_set(pt_vm *vm, const char *path, const char *format, ...);
PT_API pt_status pt_value_set(pt_value *v, const char *path, const char *format, ...);
PT_API void pt_value_free(pt_value *v);
PT_API pt_type pt_value_type(const pt_value *v);
/* The value by a letter, as a result of pt_vm_call: pt_value_read(v, "n", &x). */
PT_API pt_status pt_value_read(const pt_value *v, const char *format, ...);
PT_API int64_t pt_value_length(const pt_value *v); /* as # in Lua; -1 on failure */
/* The entry after *key (NULL: the first): frees what *key and *value held and puts the next there. False after the
   last, with both NULL, and on failure (pt_error_code). */
PT_API bool pt_value_next(const pt_value *table, pt_value **key, pt_value **value);

/* A function of the host, for scripts a global `name` ("game.spawn": in a table). The signature has a letter (n, i, s,
   S, b, T, V) for each argument, ? behind one that may be left out, * for any that follow; behind '>' up to 8 results.
   Arguments are checked before `fn` is called. It returns false after pt_set_error, or after a function that failed:
   that is raised with the script's line. Nothing may be thrown or longjmp through it. */
typedef struct pt_call pt_call;
typedef bool (*pt_host_fn)(pt_call *call, void *ud);
PT_API pt_status pt_vm_register(pt_vm *vm, const char *name, pt_host_fn fn, void *ud,
                                const char *signature);
/* Arguments, numbered from 0. Strings and tensors stay for the call; values are new handles. */
PT_API int pt_call_count(const pt_call *call);
PT_API bool pt_call_has(const pt_call *call, int i); /* neither left out nor nil */
PT_API double pt_call_number(const pt_call *call, int i);
PT_API int64_t pt_call_integer(const pt_call *call, int i);
PT_API bool pt_call_boolean(const pt_call *call, int i);
PT_API const char *pt_call_string(const pt_call *call, int i, size_t *length); /* length: or NULL */
PT_API pt_tensor *pt_call_tensor(const pt_call *call, int i);
PT_API pt_value *pt_call_value(pt_call *call, int i);
/* Sets the results, as the signature says: double, int64_t, const char *, (const char *, size_t), int, pt_tensor *,
   const pt_value *. Strings are copied. */
PT_API bool pt_call_return(pt_call *call, ...);

/* A global function as a task that runs in small steps: each pt_vm_step resumes it for at most budget_us. It
   stops between two instructions of the function, or at its coroutine.yield(); one op is never cut. 1: there is more to
   do, 0: it has returned, -1: it failed (pt_vm_error). One task in a vm: starting another forgets it. */
PT_API pt_status pt_vm_start(pt_vm *vm, const char *name, const char *format, ...);
PT_API int pt_vm_step(pt_vm *vm, int64_t budget_us);

/* Of the last failure, "" if there was none: message, traceback, the script's line ("train.lua:12"), and what was
   raised (the vm's: valid until the next call, not to be freed; NULL: nothing). */
PT_API const char *pt_vm_error(pt_vm *vm);
PT_API const char *pt_vm_traceback(pt_vm *vm);
PT_API const char *pt_vm_error_line(pt_vm *vm);
PT_API const pt_value *pt_vm_error_value(pt_vm *vm);
PT_API void pt_vm_interrupt(pt_vm *vm); /* from any thread or signal handler */
/* The lua_State (as void *, so that this header needs no lua.h), for hosts that use Lua's own
   API. */
PT_API void *pt_vm_lua(pt_vm *vm);

/* ---- the ops, one prototype for each row of engine/ops.def ---- */
#ifdef PT_BUILD
#include "ptlua_calls.h" /* those that the library itself calls */
#else
#include "ptlua_ops.h"
#endif

#ifdef __cplusplus
}
#endif
#endif
