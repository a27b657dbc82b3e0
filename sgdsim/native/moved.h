// Rows moved along the inputs of a block: w_i + sum_s E_i^s x_s, four rows at a time.

template <int R, class Load, class Store>
INLINE void move(const REAL *x, int64_t row, const REAL *E, int64_t p, int64_t samples, Load load, Store store) {
  real rows[R];
  for (int r = 0; r < R; ++r) rows[r] = load(r);
  for (int64_t s = 0; s < samples; ++s) {
    const real here = row_vector(x + s * row);
    for (int r = 0; r < R; ++r) rows[r] += E[s * p + r] * here;
  }
  for (int r = 0; r < R; ++r) store(r, rows[r]);
}

template <int R>
INLINE void move_rows(const REAL *w, const REAL *x, int64_t row, const REAL *E, int64_t p, int64_t samples, int64_t d,
                      REAL *out) {
  int64_t i = 0;
  for (; i + W <= d; i += W) {
    move<R>(x + i, row, E, p, samples, [&](int r) { return row_vector(w + r * d + i); },
            [&](int r, real moved) { memcpy(out + r * d + i, &moved, sizeof moved); });
  }
  if (i < d) {
    move<R>(x + i, row, E, p, samples, [&](int r) { return row_end(w + r * d + i, d - i); },
            [&](int r, real moved) { memcpy(out + r * d + i, &moved, (d - i) * sizeof(REAL)); });
  }
}

static void execute(const XLA_FFI_CallFrame *frame) {
  const REAL *w = argument<REAL>(frame, 0), *x = argument<REAL>(frame, 1), *E = argument<REAL>(frame, 2);
  const int64_t lanes = extent(frame, 0, 0), p = extent(frame, 0, 1), d = extent(frame, 0, 2);
  const int64_t samples = extent(frame, 1, 1), row = extent(frame, 1, 2);
  REAL *out = result<REAL>(frame, 0);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    int64_t r = 0;
    for (; r + 4 <= p; r += 4) move_rows<4>(w + r * d, x, row, E + r, p, samples, d, out + r * d);
    for (; r < p; ++r) move_rows<1>(w + r * d, x, row, E + r, p, samples, d, out + r * d);
    w += p * d, x += samples * row, E += samples * p, out += p * d;
  }
}
