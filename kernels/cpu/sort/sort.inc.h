/* sort.inc.h: sorting of lines with one type ENTRY of a key (KEY) and the place that it came from (AT), made by
   MAKE; sort.c includes it once for wide and once for narrow keys. */
static void F(insertion)(ENTRY *e, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    ENTRY v = e[i];
    int64_t j = i;
    for (; j > 0 && KEY(e[j - 1]) > KEY(v); j--) e[j] = e[j - 1];
    e[j] = v;
  }
}

/* Least significant digit first; passes in which all digits agree are skipped. The result is in e. */
static void F(radix)(ENTRY *e, ENTRY *other, int64_t n, int bits) {
  ENTRY *from = e, *to = other;
  for (int shift = 0; shift < bits; shift += RADIX_BITS) {
    int64_t count[BUCKETS] = {0}, at = 0;
    for (int64_t i = 0; i < n; i++) count[KEY(from[i]) >> shift & (BUCKETS - 1)]++;
    if (count[KEY(from[0]) >> shift & (BUCKETS - 1)] == n) continue;
    for (int b = 0; b < BUCKETS; b++) {
      int64_t many = count[b];
      count[b] = at;
      at += many;
    }
    for (int64_t i = 0; i < n; i++) to[count[KEY(from[i]) >> shift & (BUCKETS - 1)]++] = from[i];
    ENTRY *swap = from;
    from = to;
    to = swap;
  }
  if (from != e) memcpy(e, from, (size_t)n * sizeof *e);
}

/* Bottom-up merging for lines that are too long to insert and too short for the radix's buckets. */
static void F(merge)(ENTRY *e, ENTRY *other, int64_t n) {
  for (int64_t i = 0; i < n; i += SHORT) F(insertion)(e + i, n - i < SHORT ? n - i : SHORT);
  ENTRY *from = e, *to = other;
  for (int64_t run = SHORT; run < n; run *= 2) {
    for (int64_t lo = 0; lo < n; lo += 2 * run) {
      int64_t mid = lo + run < n ? lo + run : n, hi = lo + 2 * run < n ? lo + 2 * run : n, a = lo,
              b = mid;
      for (int64_t i = lo; i < hi; i++)
        to[i] = b >= hi || (a < mid && KEY(from[a]) <= KEY(from[b])) ? from[a++] : from[b++];
    }
    ENTRY *swap = from;
    from = to;
    to = swap;
  }
  if (from != e) memcpy(e, from, (size_t)n * sizeof *e);
}

/* Moves the k entries that a stable sort would put first to the front, in the order in which they stand: the k-th key
   is found digit by digit, from the most significant one. */
static void F(choose)(ENTRY *e, int64_t n, int64_t k, int bits) {
  uint64_t key = 0, known = 0; /* of the k-th key, in the digits of `known` */
  for (int shift = (bits - 1) / RADIX_BITS * RADIX_BITS; shift >= 0; shift -= RADIX_BITS) {
    int64_t count[BUCKETS] = {0};
    for (int64_t i = 0; i < n; i++) {
      if ((KEY(e[i]) & known) == key) count[KEY(e[i]) >> shift & (BUCKETS - 1)]++;
    }
    int b = 0;
    for (; k > count[b]; b++) k -= count[b]; /* how many of those that agree belong to the k */
    key |= (uint64_t)b << shift;
    known |= (uint64_t)(BUCKETS - 1) << shift;
  }
  int64_t m = 0;
  for (int64_t i = 0; i < n; i++) {
    if (KEY(e[i]) < key || (KEY(e[i]) == key && k-- > 0)) e[m++] = e[i];
  }
}

/* In order; the lower place first among equals. `other` has room for n entries. */
static void F(order)(ENTRY *e, ENTRY *other, int64_t n, int bits) {
  if (n <= SHORT) F(insertion)(e, n);
  else if (n < 4 * BUCKETS) F(merge)(e, other, n);
  else F(radix)(e, other, n, bits);
}

static void F(make_entries)(pt_dtype dtype, const char *x, int64_t step, int64_t n, uint64_t flip,
                            ENTRY *e) {
  uint64_t key[CHUNK];
  for (int64_t from = 0; from < n; from += CHUNK) {
    int64_t m = pti_min64(CHUNK, n - from);
    keys_of(dtype, x + from * step, step, m, key);
    for (int64_t i = 0; i < m; i++) e[from + i] = MAKE(key[i] ^ flip, from + i);
  }
}

/* The first k of a stable sort, found by keeping the first k seen so far in order. False if too many were replaced,
   as in a line that is sorted the other way round. */
static bool F(keep_few)(const sort_job *j, const char *x, int64_t step, uint64_t flip, ENTRY *e) {
  uint64_t key[CHUNK], last = 0;
  int64_t have = 0, k = j->k, moves = 0, most = 4 * j->r.n;
  for (int64_t from = 0; from < j->r.n; from += CHUNK) {
    int64_t m = pti_min64(CHUNK, j->r.n - from);
    keys_of(j->r.dtype, x + from * step, step, m, key);
    for (int64_t i = 0; i < m; i++) {
      uint64_t v = key[i] ^ flip;
      if (have == k && v >= last) continue;
      int64_t at = have < k ? have++ : k - 1;
      for (; at > 0 && KEY(e[at - 1]) > v; at--, moves++) e[at] = e[at - 1];
      e[at] = MAKE(v, from + i);
      last = KEY(e[have - 1]);
    }
    if (moves > most) return false;
  }
  return true;
}

static void F(sort_lines)(void *ctx, int64_t lo, int64_t hi) {
  sort_job *j = ctx;
  int64_t n = j->r.n, inner = j->r.inner;
  size_t size = pt_dtype_size(j->r.dtype), bytes = (size_t)n * 2 * sizeof(ENTRY);
  ENTRY *e = pti_cpu_host->alloc(bytes);
  if (e == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  int bits = key_bits(j->r.dtype);
  uint64_t flip = !j->descending ? 0 : bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
  for (int64_t line = lo; line < hi; line++) {
    const char *x = j->x + (size_t)(line / inner * n * inner + line % inner) * size;
    int64_t step = inner * (int64_t)size;
    bool found = j->k > 0 && j->k <= FEW && j->k <= n / 8 && F(keep_few)(j, x, step, flip, e);
    if (!found) {
      F(make_entries)(j->r.dtype, x, step, n, flip, e);
      bool few = n > 4 * SHORT && j->k <= n / 2 + 1;
      if (few) F(choose)(e, n, j->k, bits);
      F(order)(e, e + n, few ? j->k : n, bits);
    }
    char *y = j->y + (size_t)(line / inner * j->k * inner + line % inner) * size;
    int64_t *index = j->index + line / inner * j->k * inner + line % inner;
    for (int64_t i = 0; i < j->k; i++) {
      memcpy(y + (size_t)(i * inner) * size, x + (size_t)(AT(e[i]) * inner) * size, size);
      index[i * inner] = AT(e[i]) + j->base;
    }
  }
  pti_cpu_host->free(e, bytes);
}
