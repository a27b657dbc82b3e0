// SGD on the full weights, one replica after another and one step after another: P and K units in dimension D, erf.
// The numbers of every input are those of sgdsim's `weights`, from the same keys.
#include "lanes.h"

// Fields of R rows on one input.
template <int R> INLINE void fields(const float *rows, const float *x, float *out) {
  vf sums[R] = {};
  for (int i = 0; i < D; i += W) {
    const vf here = load(x + i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sums[r] += load(rows + r * D + i) * here;
  }
  for (int r = 0; r < R; ++r) out[r] = sum(sums[r]);
}

// R rows move along one input.
template <int R> INLINE void move(float *rows, const float *x, const float *by) {
  for (int i = 0; i < D; i += W) {
    const vf here = load(x + i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) store(rows + r * D + i, load(rows + r * D + i) + by[r] * here);
  }
}

// sigma and sigma' of n <= 64 fields.
INLINE float mean_sigma(const float *field, int n) {
  vf total = all(0);
  for (int i = 0; i < n; i += W) {
    vf x = all(0);
    for (int j = i; j < n && j < i + W; ++j) x[j - i] = field[j];
    total += erf_(x * 0.70710678f);
  }
  return sum(total) / n;
}

extern "C" void weights(float *students, const float *teachers, const uint32_t *keys, int replicas, long n, int block,
                        float step_size, float noise_root) {
  alignas(64) float x[D], field[64], back[64];
  const float scale = 1 / std::sqrt((float)D), rate = step_size * std::sqrt((float)D);
  vu place;
  for (int i = 0; i < W; ++i) place[i] = i;
  for (int replica = 0; replica < replicas; ++replica) {
    float *student = students + (long)replica * P * D;
    const float *teacher = teachers + (long)replica * K * D;
    const vu k0 = all_u(keys[replica]), k1 = all_u(keys[replicas + replica]);
    vu key0, key1;
    for (long step = 0; step < n; ++step) {
      const uint32_t sample = step % block;
      if (sample == 0) threefry(k0, k1, all_u(step), all_u((uint64_t)step >> 32), key0, key1);
      for (int pair = 0; pair < D / 2; pair += W) {
        vf left, right;
        normal_pair(key0, key1, all_u(sample), place + pair, left, right);
        store(x + pair, left);
        store(x + D / 2 + pair, right);
      }
      vf zeta, unused;
      normal_pair(key0, key1, all_u(sample), all_u(D / 2), zeta, unused);
      for (int r = 0; r < K; r += 4) fields<4>(teacher + r * D, x, field + r);
      for (int r = 0; r < K; ++r) field[r] *= scale;
      float error = mean_sigma(field, K) + noise_root * zeta[0];
      for (int r = 0; r < P; r += 4) fields<4>(student + r * D, x, field + r);
      for (int r = 0; r < P; ++r) field[r] *= scale;
      error -= mean_sigma(field, P);
      for (int i = 0; i < P; i += W) {
        vf slope = load(field + i);
        store(back + i, exp_(-0.5f * slope * slope) * (0.79788456f * error * rate));
      }
      for (int r = 0; r < P; r += 4) move<4>(student + r * D, x, back + r);
    }
  }
}
