// The exact chain for batch 1 and erf with P and K units, lanes of W trajectories: sgdsim's numbers from the same keys.
#include "lanes.h"

#define T(i, j) ((i) * ((i) + 1) / 2 + (j))
enum { NM = P * K, NS = P * (P + 1) / 2, PAIRS = (K + P + 3) / 2 };

struct Problem { float root[K][K], radius[12], freedom, step_size, noise_root; };

INLINE void step(const vf *m, const vf *S, vf *dm, vf *dS, vu k0, vu k1, vu index, const Problem &problem) {
  vf n[2 * PAIRS], B[NS], A[NS], u[P], field[P], E[P], w[P];
  for (int i = 0; i < PAIRS; ++i) normal_pair(k0, k1, index, all_u(i), n[2 * i], n[2 * i + 1]);
  const vf *z_t = n, *z_s = n + K;
  for (int i = 0; i < NS; ++i) A[i] = S[i] + dS[i];
#pragma GCC unroll 16
  for (int j = 0; j < P; ++j) {
    vf pivot = A[T(j, j)];
    for (int l = 0; l < j; ++l) pivot -= B[T(j, l)] * B[T(j, l)];
    const vi sound = pivot > 1.9073486e-06f * A[T(j, j)];
    const vf inverse = sound ? 1.f / sqrt_(sound ? pivot : all(1)) : all(0);
    B[T(j, j)] = pivot * inverse;
#pragma GCC unroll 16
    for (int i = j + 1; i < P; ++i) {
      vf rest = A[T(i, j)];
      for (int l = 0; l < j; ++l) rest -= B[T(i, l)] * B[T(j, l)];
      B[T(i, j)] = rest * inverse;
    }
  }
  vf target = all(0), output = all(0), squares = all(0);
#pragma GCC unroll 16
  for (int r = 0; r < K; ++r) {
    vf x = all(0);
    for (int l = 0; l <= r; ++l) x += problem.root[r][l] * z_t[l];
    target += erf_(x * 0.70710678f);
  }
#pragma GCC unroll 16
  for (int i = 0; i < P; ++i) {
    u[i] = all(0);
    for (int j = 0; j <= i; ++j) u[i] += B[T(i, j)] * z_s[j];
    field[i] = u[i];
    for (int r = 0; r < K; ++r) field[i] += (m[i * K + r] + dm[i * K + r]) * z_t[r];
    output += erf_(field[i] * 0.70710678f);
    squares += z_s[i] * z_s[i];
  }
  const vf error = (target * (1.f / K) - output * (1.f / P) + problem.noise_root * n[K + P]) * problem.step_size;
  const vf c = n[K + P + 1] * (1 / 6.8f);
  vf q = all(problem.radius[11]);
#pragma GCC unroll 11
  for (int i = 10; i >= 0; --i) q = q * c + problem.radius[i];
  const vf half = 0.5f * (squares + problem.freedom * q * q * q);
#pragma GCC unroll 16
  for (int i = 0; i < P; ++i) {
    E[i] = exp_(-0.5f * field[i] * field[i]) * 0.79788456f * error;
    w[i] = u[i] + half * E[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < P; ++i) {
#pragma GCC unroll 16
    for (int r = 0; r < K; ++r) dm[i * K + r] += E[i] * z_t[r];
#pragma GCC unroll 16
    for (int j = 0; j <= i; ++j) dS[T(i, j)] += E[i] * w[j] + w[i] * E[j];
  }
}

// m (P K, lanes), S (lower triangle, lanes), keys (2, lanes): n steps from the first on; lanes fill whole vectors.
extern "C" void chain(double *m, double *S, const uint32_t *keys, int lanes, long n, int segment, const Problem *problem) {
  for (int first = 0; first < lanes; first += W) {
    vu key[2], k0, k1;
    for (int i = 0; i < 2; ++i) memcpy(&key[i], keys + i * lanes + first, sizeof(vu));
    for (long done = 0; done < n; done += segment) {
      const uint32_t steps = n - done < segment ? n - done : segment;
      threefry(key[0], key[1], all_u(done), all_u((uint64_t)done >> 32), k0, k1);
      vf fm[NM], fS[NS], dm[NM] = {}, dS[NS] = {};
      for (int i = 0; i < NM; ++i) for (int l = 0; l < W; ++l) fm[i][l] = m[(long)i * lanes + first + l];
      for (int i = 0; i < NS; ++i) for (int l = 0; l < W; ++l) fS[i][l] = S[(long)i * lanes + first + l];
      for (uint32_t s = 0; s < steps; ++s) step(fm, fS, dm, dS, k0, k1, all_u(s), *problem);
      for (int i = 0; i < NM; ++i) for (int l = 0; l < W; ++l) m[(long)i * lanes + first + l] += dm[i][l];
      for (int i = 0; i < NS; ++i) for (int l = 0; l < W; ++l) S[(long)i * lanes + first + l] += dS[i][l];
    }
  }
}
