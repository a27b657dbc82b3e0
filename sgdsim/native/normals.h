// Rows of d normals under the key of every lane, for any numbers of rows (sgdsim/training/inputs.py).

static void execute(const XLA_FFI_CallFrame *frame) {
  const uint32_t *keys = argument<uint32_t>(frame, 0), *rows = argument<uint32_t>(frame, 1);
  const int64_t lanes = extent(frame, 0, 1), count = extent(frame, 1, 0);
  const int64_t d = ((const XLA_FFI_Buffer *)frame->rets.rets[0])->dims[2];
  REAL *x = result<REAL>(frame, 0);
  u32 place;
  for (int i = 0; i < W; ++i) place[i] = i;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    const u32 key[2] = {splat<u32>(keys[lane]), splat<u32>(keys[lanes + lane])};
    for (int64_t i = 0; i < count; ++i, x += d) draw(key, rows[i], d, d, place, x);
  }
}
