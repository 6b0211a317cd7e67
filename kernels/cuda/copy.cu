/* copy.cu: moving, converting and filling, without arithmetic. */
#include "common.cuh"
#include "slots.cuh"

template <class E> __global__ void __launch_bounds__(THREADS) move_strided(geometry q) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  char *p[2];
  if (i >= q.n) return;
  locate<2>(q, i, p);
  *(E *)p[0] = *(const E *)p[1];
}
template <class T> __global__ void __launch_bounds__(THREADS) convert_strided(geometry q) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  char *p[2];
  if (i >= q.n) return;
  locate<2>(q, i, p);
  store_any<T>(q.dtype[0], p[0], load_any<T>(q.dtype[1], p[1]));
}
/* A square of a matrix through shared memory, so that both sides are read and written in rows. */
template <class E>
__global__ void __launch_bounds__(THREADS)
    move_transposed(E *y, const E *x, int rows, int cols, int64_t x_row, int64_t y_col) {
  SHARED(E, tile, [32][33]);
  int tx = threadIdx.x & 31, ty = threadIdx.x >> 5;
  int c0 = blockIdx.x * 32, r0 = blockIdx.y * 32;
  for (int k = ty; k < 32; k += THREADS / 32)
    if (r0 + k < rows && c0 + tx < cols) tile[k][tx] = x[(r0 + k) * x_row + c0 + tx];
  __syncthreads();
  for (int k = ty; k < 32; k += THREADS / 32)
    if (r0 + tx < rows && c0 + k < cols) y[(c0 + k) * y_col + r0 + tx] = tile[tx][k];
}

template <class E> static void move(cudaStream_t s, const pti_iter *it) {
  int64_t size = sizeof(E);
  bool square = it->nd == 2 && it->stride[0][1] == size && it->stride[1][0] == size &&
      it->size[0] >= 16 && it->size[1] >= 16 && it->size[1] <= 32 * 65535 &&
      it->stride[0][0] % size == 0 && it->stride[1][1] % size == 0;
  if (!square) {
    LAUNCH((move_strided<E>), blocks_of(it->n, THREADS), THREADS, 0, s, geometry_of(it));
    return;
  }
  int rows = (int)it->size[1], cols = (int)it->size[0]; /* of the source, which runs along dim 0 */
  LAUNCH((move_transposed<E>), dim3(blocks_of(cols, 32), blocks_of(rows, 32)), THREADS, 0, s,
         (E *)it->ptr[0], (const E *)it->ptr[1], rows, cols, it->stride[1][1] / size,
         it->stride[0][0] / size);
}

/* A complex number is two real ones: its parts are copied one after the other; to real numbers goes the real
   part alone. */
static bool copy_parts(int dev, const pti_iter *it) {
  bool to = pti_is(it->dtype[0], PTI_COMPLEX), from = pti_is(it->dtype[1], PTI_COMPLEX);
  pti_iter p = *it;
  if (it->dtype[0] == PT_BOOL) {
    pti_host->fail(PT_EDTYPE, "complex to bool is not a conversion; use x:ne(0)");
    return false;
  }
  if (to) p.dtype[0] = it->dtype[0] == PT_C64 ? PT_F32 : PT_F64;
  if (from) p.dtype[1] = it->dtype[1] == PT_C64 ? PT_F32 : PT_F64;
  if (!pti_cuda_copy(dev, &p)) return false;
  if (!to) return true;
  p.ptr[0] += size_of(p.dtype[0]);
  if (!from) return pti_cuda_fill(dev, &p, 0, 0);
  p.ptr[1] += size_of(p.dtype[1]);
  return pti_cuda_copy(dev, &p);
}

bool pti_cuda_copy(int dev, const pti_iter *it) {
  cudaStream_t s = pti_stream(dev);
  pt_dtype to = it->dtype[0], from = it->dtype[1];
  int64_t size = size_of(to);
  if (s == NULL) return false;
  if (to != from && (pti_is(to, PTI_COMPLEX) || pti_is(from, PTI_COMPLEX)))
    return copy_parts(dev, it);
  bool dense =
      it->nd == 1 && (it->n == 1 || (it->stride[0][0] == size && it->stride[1][0] == size));
  if (to == from && dense) {
    cudaError_t e = cudaMemcpyAsync(it->ptr[0], it->ptr[1], (size_t)(it->n * size),
                                    cudaMemcpyDeviceToDevice, s);
    return e == cudaSuccess || pti_host->fail(PT_EDEVICE, "copy: %s", cudaGetErrorString(e));
  }
  pti_compute via = compute_of(from);
  return for_pieces(it, [&](const pti_iter &p) {
    unsigned blocks = blocks_of(p.n, THREADS);
    if (to == from) BY_SIZE(size, move, s, &p);
    else if (via == PTI_CF32)
      LAUNCH((convert_strided<float>), blocks, THREADS, 0, s, geometry_of(&p));
    else if (via == PTI_CF64)
      LAUNCH((convert_strided<double>), blocks, THREADS, 0, s, geometry_of(&p));
    else LAUNCH((convert_strided<int64_t>), blocks, THREADS, 0, s, geometry_of(&p));
    return launched("copy");
  });
}

/* ---- fill and sequences ---- */

template <class T> __global__ void __launch_bounds__(THREADS) fill_strided(geometry q, T value) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  char *p[1];
  if (i >= q.n) return;
  locate<1>(q, i, p);
  if (q.dtype[0] == PT_C64) *(complex64 *)p[0] = complex64{(float)value, 0};
  else if (q.dtype[0] == PT_C128) *(complex128 *)p[0] = complex128{(double)value, 0};
  else store_any<T>(q.dtype[0], p[0], value);
}

bool pti_cuda_fill(int dev, const pti_iter *it, double value, int64_t ivalue) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  return for_pieces(it, [&](const pti_iter &p) {
    unsigned blocks = blocks_of(p.n, THREADS);
    if (pti_is(p.dtype[0], PTI_INTS | PTI_BOOLS))
      LAUNCH((fill_strided<int64_t>), blocks, THREADS, 0, s, geometry_of(&p), ivalue);
    else LAUNCH((fill_strided<double>), blocks, THREADS, 0, s, geometry_of(&p), value);
    return launched("fill");
  });
}

__global__ void __launch_bounds__(THREADS)
    sequence(int dtype, char *x, int size, int64_t n, double start, double step) {
  FOR_EACH(i, n) store_any<double>(dtype, x + i * size, start + (double)i * step);
}
__global__ void __launch_bounds__(THREADS)
    whole_sequence(int dtype, char *x, int size, int64_t n, int64_t start, int64_t step) {
  FOR_EACH(i, n)
  store_any<int64_t>(dtype, x + i * size,
                     (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)step));
}

bool pti_cuda_arange(int dev, pt_dtype dtype, void *x, int64_t n, double start, double step,
                     int64_t istart, int64_t istep) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (pti_is(dtype, PTI_COMPLEX)) return pti_no_kernel("sequence", dtype);
  int size = (int)size_of(dtype);
  if (n == 0) return true;
  if (pti_is(dtype, PTI_INTS | PTI_BOOLS))
    LAUNCH(whole_sequence, looped(n), THREADS, 0, s, dtype, (char *)x, size, n, istart, istep);
  else LAUNCH(sequence, looped(n), THREADS, 0, s, dtype, (char *)x, size, n, start, step);
  return launched("sequence");
}
