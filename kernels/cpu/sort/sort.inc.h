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

/* Least significant digit first, `digit` bits at a time, all of them counted in one pass; passes in which all digits
   agree are skipped. The result is in e. */
static inline void F(radix_by)(const sort_job *j, int digit, ENTRY *e, ENTRY *other, int64_t n,
                               int bits) {
  COUNT counts[MOST_COUNTS], *count[64 / SMALL_RADIX_BITS];
  int digits = (bits + digit - 1) / digit, buckets = 1 << digit;
  uint64_t mask = (uint64_t)(buckets - 1);
  memset(counts, 0, (size_t)(digits * buckets) * sizeof *counts);
  for (int d = 0; d < digits; d++) count[d] = counts + d * buckets;
  FOR_EACH(i, n) {
    uint64_t key = KEY(e[i]);
    for (int d = 0; d < digits; d++, key >>= digit) count[d][key & mask]++;
  }
  if (!go_on(j)) return;
  ENTRY *from = e, *to = other;
  for (int d = 0; d < digits; d++) {
    int shift = d * digit;
    COUNT at = 0;
    if (count[d][KEY(from[0]) >> shift & mask] == (COUNT)n) continue;
    for (int b = 0; b < buckets; b++) {
      COUNT many = count[d][b];
      count[d][b] = at;
      at += many;
    }
    FOR_EACH(i, n) to[count[d][KEY(from[i]) >> shift & mask]++] = from[i];
    if (!go_on(j)) return;
    ENTRY *swap = from;
    from = to;
    to = swap;
  }
  if (from != e) memcpy(e, from, (size_t)n * sizeof *e);
}

/* In order; the lower place first among equals. `other` has room for n entries. Short lines have small digits: there
   would be more counts than entries. */
static void F(order)(const sort_job *j, ENTRY *e, ENTRY *other, int64_t n, int bits) {
  if (n <= SHORT) F(insertion)(e, n);
  else if (n < FEW_ENTRIES) F(radix_by)(j, SMALL_RADIX_BITS, e, other, n, bits);
  else F(radix_by)(j, RADIX_BITS, e, other, n, bits);
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

static void F(make_entries)(const scale *s, const char *x, int64_t step, int64_t n, ENTRY *e) {
  uint64_t key[CHUNK];
  for (int64_t from = 0; from < n; from += CHUNK) {
    int64_t m = pti_min64(CHUNK, n - from);
    scaled_keys(s, x + from * step, step, m, key);
    for (int64_t i = 0; i < m; i++) e[from + i] = MAKE(key[i], from + i);
  }
}

/* The first k of a stable sort, found by keeping the first k seen so far in order. False if too many were replaced,
   as in a line that is sorted the other way round. */
static bool F(keep_few)(const sort_job *j, const scale *s, const char *x, int64_t step, ENTRY *e) {
  uint64_t key[CHUNK], last = 0;
  int64_t have = 0, k = j->k, moves = 0, most = 4 * j->r.n;
  for (int64_t from = 0; from < j->r.n; from += CHUNK) {
    int64_t m = pti_min64(CHUNK, j->r.n - from);
    scaled_keys(s, x + from * step, step, m, key);
    for (int64_t i = 0; i < m; i++) {
      uint64_t v = key[i];
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

static inline void F(write_as)(size_t size, const sort_job *j, const scale *s, const char *x,
                               int64_t step, const ENTRY *e, int64_t count, int64_t first) {
  int64_t inner = j->r.inner, *index = j->index + first;
  char *y = j->y + (size_t)first * size;
  FOR_EACH(i, count) {
    int64_t at = AT(e[i]);
    element_of(s, size, KEY(e[i]), y + (size_t)(i * inner) * size, x + at * step);
    index[i * inner] = at + j->base;
  }
}

/* Writes `count` entries, all that the line's results are. */
static void F(write)(const sort_job *j, const scale *s, const char *x, int64_t step, const ENTRY *e,
                     int64_t count, int64_t line) {
  int64_t inner = j->r.inner, first = line / inner * count * inner + line % inner;
  switch (pt_dtype_size(s->dtype)) {
  case 1: F(write_as)(1, j, s, x, step, e, count, first); return;
  case 2: F(write_as)(2, j, s, x, step, e, count, first); return;
  case 4: F(write_as)(4, j, s, x, step, e, count, first); return;
  default: F(write_as)(8, j, s, x, step, e, count, first);
  }
}

static void F(sort_line)(const sort_job *j, const scale *s, const char *x, int64_t step,
                         void *scratch, int64_t line) {
  ENTRY *e = scratch;
  int64_t n = j->r.n;
  bool found = j->k > 0 && j->k <= FEW && j->k <= n / 8 && F(keep_few)(j, s, x, step, e);
  if (!found) {
    F(make_entries)(s, x, step, n, e);
    bool few = n > 4 * SHORT && j->k <= n / 2 + 1;
    if (few) F(choose)(e, n, j->k, s->bits);
    F(order)(j, e, e + n, few ? j->k : n, s->bits);
  }
  F(write)(j, s, x, step, e, j->k, line);
}

/* Of n entries those whose digit at `shift` is that of the k-th, moved to the front in the order in which they stand;
   returns how many there are, and leaves in *k which of them it is. */
static int64_t F(narrow_down)(ENTRY *e, int64_t n, int64_t *k, int shift, const int64_t *count) {
  uint64_t digit = 0;
  int64_t m = 0;
  for (; *k >= count[digit]; digit++) *k -= count[digit];
  for (int64_t i = 0; i < n; i++) {
    e[m] = e[i];
    m += (KEY(e[i]) >> shift & (BUCKETS - 1)) == digit;
  }
  return m;
}

/* The k-th of a line (from 0), in the order of a stable sort: digit by digit, from the most significant one, among those
   that agree with it so far. */
static void F(kth_of_line)(const sort_job *j, const scale *s, const char *x, int64_t step,
                           void *scratch, int64_t line) {
  ENTRY *e = scratch;
  int64_t n = j->r.n, k = j->k;
  F(make_entries)(s, x, step, n, e);
  for (int shift = s->bits; n > SHORT && shift > 0;) {
    int64_t count[BUCKETS] = {0};
    shift = shift > RADIX_BITS ? shift - RADIX_BITS : 0;
    for (int64_t i = 0; i < n; i++) count[KEY(e[i]) >> shift & (BUCKETS - 1)]++;
    n = F(narrow_down)(e, n, &k, shift, count);
  }
  if (n <= SHORT) F(insertion)(e, n);
  F(write)(j, s, x, step, e + k, 1, line);
}
