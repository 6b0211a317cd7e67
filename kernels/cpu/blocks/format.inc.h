/* format.inc.h: the loops over blocks of one FORMAT, whose integers NUMBERS unpacks. The parts of a block are unrolled, so that
   what depends on the part alone is constant. */

static void F(load)(const uint8_t *blocks, int64_t count, float *y) {
  const int parts = pti_block_kinds[FORMAT].numbers / 32, size = pti_block_kinds[FORMAT].bytes;
  for (int64_t b = 0; b < count; b++, blocks += size) {
    PTI_UNROLLED
    for (int part = 0; part < parts; part++, y += 32) {
      scales s = scales_of(FORMAT, blocks, part);
      lanes low, high;
      NUMBERS(blocks, part, low, high);
      *(some_lanes *)y = low * s.low - s.minus;
      *(some_lanes *)(y + 16) = high * s.high - s.minus;
    }
  }
}

static float F(dot)(const uint8_t *blocks, int64_t count, const float *x) {
  const int parts = pti_block_kinds[FORMAT].numbers / 32, size = pti_block_kinds[FORMAT].bytes;
  lanes even = {0}, odd = {0};
  for (int64_t b = 0; b < count; b++, blocks += size) {
    PTI_UNROLLED
    for (int part = 0; part < parts; part++, x += 32) {
      scales s = scales_of(FORMAT, blocks, part);
      lanes low, high, u = AT(lanes, x), v = AT(lanes, x + 16);
      NUMBERS(blocks, part, low, high);
      if (FORMAT == PTI_Q6_K) { /* two scales */
        even += (low * u) * s.low;
        odd += (high * v) * s.high;
      } else {
        even += (low * u + high * v) * s.low;
      }
      if (FORMAT == PTI_Q4_K) odd -= (u + v) * s.minus;
    }
  }
  even += odd;
  return sum_of(&even);
}

#undef F
#undef FORMAT
#undef NUMBERS
