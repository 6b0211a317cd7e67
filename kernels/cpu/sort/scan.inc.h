/* scan.inc.h: running sums, products and extremes of lines for one element type T, summed in ACC
   (integers wrap without undefined behaviour). Extremes also tell where they stand; the last of
   equal ones, NaN before all. */
static void F(scan)(void *ctx, int64_t lo, int64_t hi) {
  const sort_job *j = ctx;
  int64_t n = j->r.n, inner = j->r.inner;
  for (int64_t line = lo; line < hi; line++) {
    int64_t start = line / inner * n * inner + line % inner;
    const T *x = (const T *)j->x + start;
    T *y = (T *)j->y + start, best = 0;
    int64_t at = -1;
    ACC sum = j->kind == PTI_SCAN_PROD ? 1 : 0;
    for (int64_t s = 0; s < n; s++) {
      int64_t i = j->right ? n - 1 - s : s;
      T v = x[i * inner];
      if (j->kind == PTI_SCAN_SUM || j->kind == PTI_SCAN_PROD) {
        sum = j->kind == PTI_SCAN_SUM ? sum + (ACC)v : sum * (ACC)v;
        y[i * inner] = (T)sum;
        continue;
      }
      bool better = j->kind == PTI_SCAN_MAX ? v >= best : v <= best;
      if (at < 0 || IS_NAN(v) || (!IS_NAN(best) && better)) {
        best = v;
        at = i;
      }
      y[i * inner] = best;
      j->index[start + i * inner] = at + j->base;
    }
  }
}
