// One row of normals: `pair`, which is emitted, makes two of a key and a counter, whose words are (sample, pair), or the
// other way round. The first of each pair come first. A row is filled up with zeros to `row` numbers.

template <bool PAIR_FIRST = false>
static void draw(const u32 *key, uint32_t sample, int64_t d, int64_t row, u32 place, REAL *x) {
  const int64_t pairs = (d + 1) / 2, rest = d - pairs;
  for (int64_t done = 0; done < pairs; done += W) {
    const u32 number = place + (uint32_t)done, counter[2] = {PAIR_FIRST ? number : splat<u32>(sample),
                                                             PAIR_FIRST ? splat<u32>(sample) : number};
    real both[2];
    pair(key, counter, both);
    if (done + W <= rest) {
      memcpy(x + done, &both[0], sizeof(real));
      memcpy(x + pairs + done, &both[1], sizeof(real));
    } else {
      for (int i = 0; i < W && done + i < pairs; ++i) x[done + i] = both[0][i];
      for (int i = 0; i < W && done + i < rest; ++i) x[pairs + done + i] = both[1][i];
    }
  }
  for (int64_t i = d; i < row; ++i) x[i] = 0;
}
