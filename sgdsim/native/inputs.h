// The inputs of a block (sgdsim/ensemble/inputs.py) and their products, replica by replica while they are in the cache.

static void draw_more(const u32 *key, int64_t samples, int64_t d, u32 place, REAL *zeta) {
  for (int64_t done = 0; done < samples; done += W) {
    const u32 counter[2] = {place + (uint32_t)done, splat<u32>((d + 1) / 2)};
    real both[2];
    pair(key, counter, both);
    for (int i = 0; i < W && done + i < samples; ++i) zeta[done + i] = both[0][i];
  }
}

static void make_gram(const REAL *x, int64_t samples, int64_t row, REAL *gram) {
  for (int64_t s = 0; s < samples; s += 4) {
    const int64_t rows = samples - s < 4 ? samples - s : 4;
    products(x + s * row, rows, row, x, s + rows, row, row, gram + s * samples, samples);
  }
  for (int64_t s = 0; s < samples; ++s) for (int64_t t = s + 1; t < samples; ++t) gram[s * samples + t] = gram[t * samples + s];
}

static void execute(const XLA_FFI_CallFrame *frame) {
  const uint32_t *keys = argument<uint32_t>(frame, 0);
  const REAL *student = argument<REAL>(frame, 1), *teacher = argument<REAL>(frame, 2);
  const int64_t lanes = extent(frame, 1, 0), p = extent(frame, 1, 1), k = extent(frame, 2, 1), d = extent(frame, 1, 2);
  const int64_t *shape = ((const XLA_FFI_Buffer *)frame->rets.rets[0])->dims, samples = shape[1], row = shape[2];
  REAL *x = result<REAL>(frame, 0), *zeta = result<REAL>(frame, 1), *gram = result<REAL>(frame, 2);
  REAL *fields = result<REAL>(frame, 3), *targets = result<REAL>(frame, 4);
  u32 place;
  for (int i = 0; i < W; ++i) place[i] = i;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    const u32 key[2] = {splat<u32>(keys[lane]), splat<u32>(keys[lanes + lane])};
    for (int64_t sample = 0; sample < samples; ++sample) draw(key, sample, d, row, place, x + sample * row);
    draw_more(key, samples, d, place, zeta);
    make_gram(x, samples, row, gram);
    products(x, samples, row, student, p, d, d, fields, p);
    products(x, samples, row, teacher, k, d, d, targets, k);
    x += samples * row, zeta += samples, gram += samples * samples;
    student += p * d, teacher += k * d, fields += samples * p, targets += samples * k;
  }
}
