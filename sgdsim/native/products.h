// Products of rows of REAL, which need not begin at the beginning of a vector.

INLINE real row_vector(const REAL *from) {
  real vector;
  memcpy(&vector, from, sizeof vector);
  return vector;
}

// Up to `count` numbers, of which W are taken at most, and zeros.
INLINE real row_end(const REAL *from, int64_t count) {
  real vector = splat<real>(0);
  memcpy(&vector, from, (count < W ? count : W) * sizeof(REAL));
  return vector;
}

// The sum over lanes, always by halves.
INLINE REAL total(real vector) {
  REAL sums[W];
  memcpy(sums, &vector, sizeof sums);
  for (int half = W / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

// out[r * stride + s] = a_r.b_s of d numbers each. The order of each sum is the same for any R and S.
template <int R, int S>
INLINE void dots(const REAL *a, int64_t a_row, const REAL *b, int64_t b_row, int64_t d, REAL *out, int64_t stride) {
  real sums[R][S];
  for (int r = 0; r < R; ++r) for (int s = 0; s < S; ++s) sums[r][s] = splat<real>(0);
  int64_t i = 0;
  for (; i + W <= d; i += W) {
    real right[S];
    for (int s = 0; s < S; ++s) right[s] = row_vector(b + s * b_row + i);
    for (int r = 0; r < R; ++r) {
      const real left = row_vector(a + r * a_row + i);
      for (int s = 0; s < S; ++s) sums[r][s] += left * right[s];
    }
  }
  if (i < d) {
    for (int r = 0; r < R; ++r) {
      for (int s = 0; s < S; ++s) sums[r][s] += row_end(a + r * a_row + i, d - i) * row_end(b + s * b_row + i, d - i);
    }
  }
  for (int r = 0; r < R; ++r) for (int s = 0; s < S; ++s) out[r * stride + s] = total(sums[r][s]);
}

// All products of rows of a and b, four by four: a vector that is loaded takes part in four.
static void products(const REAL *a, int64_t a_rows, int64_t a_row, const REAL *b, int64_t b_rows, int64_t b_row,
                     int64_t d, REAL *out, int64_t stride) {
  for (int64_t r = 0; r < a_rows; r += 4) {
    for (int64_t s = 0; s < b_rows; s += 4) {
      const REAL *left = a + r * a_row, *right = b + s * b_row;
      REAL *place = out + r * stride + s;
      if (r + 4 <= a_rows && s + 4 <= b_rows) {
        dots<4, 4>(left, a_row, right, b_row, d, place, stride);
        continue;
      }
      for (int64_t i = 0; i < 4 && r + i < a_rows; ++i) {
        for (int64_t j = 0; j < 4 && s + j < b_rows; ++j) {
          dots<1, 1>(left + i * a_row, a_row, right + j * b_row, b_row, d, place + i * stride + j, stride);
        }
      }
    }
  }
}
