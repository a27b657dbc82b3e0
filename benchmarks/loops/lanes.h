// Vectors of floats and what the loops need of them, as a programmer would write it for one processor and one problem.
#include <cmath>
#include <cstdint>
#include <cstring>

#define INLINE static inline __attribute__((always_inline))
#if defined(__AVX512F__)
#define W 16
#elif defined(__AVX2__)
#define W 8
#else
#define W 4
#endif
typedef float vf __attribute__((vector_size(4 * W)));
typedef uint32_t vu __attribute__((vector_size(4 * W)));
typedef int32_t vi __attribute__((vector_size(4 * W)));

INLINE vf all(float x) { return x - vf{}; }
INLINE vu all_u(uint32_t x) { return x + vu{}; }
INLINE vf load(const float *from) { vf x; memcpy(&x, from, sizeof x); return x; }
INLINE void store(float *to, vf x) { memcpy(to, &x, sizeof x); }
INLINE float sum(vf x) { float total = 0; for (int i = 0; i < W; ++i) total += x[i]; return total; }

// Adding 1.5 2^23 and taking it away rounds to the nearest integer; the barrier keeps -ffast-math from seeing through.
INLINE vf round_(vf x) {
  vf moved = x + 12582912.f;
  asm("" : "+m"(moved));
  return moved - 12582912.f;
}
INLINE vf sqrt_(vf x) { vf y; for (int i = 0; i < W; ++i) y[i] = __builtin_sqrtf(x[i]); return y; }

INLINE vf log_(vf x) {  // of a normal x > 0
  const vi bits = (vi)x, e = (bits - 0x3f3504f3) >> 23;
  const vf t = (vf)(bits - (e << 23)) - 1.f;
  vf y = t * -0.0790274367f + 0.1262231916f;
  y = y * t - 0.1299818307f; y = y * t + 0.1421449632f; y = y * t - 0.1664128155f; y = y * t + 0.2000104487f;
  y = y * t - 0.2500030696f; y = y * t + 0.3333333135f; y = y * t - 0.5f;
  return y * t * t + t + __builtin_convertvector(e, vf) * 0.6931471806f;
}

INLINE vf exp_(vf x) {  // of -87 < x < 87
  const vf n = round_(x * 1.44269504f), r = x - n * 0.6931471806f;
  vf y = r * 0.0013926250f + 0.0083632329f;
  y = y * r + 0.0416665524f; y = y * r + 0.1666657627f; y = y * r + 0.5f;
  y = y * r * r + r + 1.f;
  return y * (vf)((__builtin_convertvector(n, vi) + 127) << 23);
}

INLINE vf erf_(vf x) {
  x = x < -3.92f ? all(-3.92f) : x; x = x > 3.92f ? all(3.92f) : x;
  const vf z = x * x;
  vf n = z * 2.0500617666e-06f + 0.00028486485826f, d = z * 3.8090514863e-05f + 0.0011624104809f;
  n = n * z + 0.0037651590537f; n = n * z + 0.052747275681f; n = n * z + 0.19039687514f; n = n * z + 1.1283791065f;
  d = d * z + 0.014968302101f; d = d * z + 0.11410499096f; d = d * z + 0.50206756592f; d = d * z + 1.f;
  return x * n / d;
}

INLINE void threefry(vu k0, vu k1, vu c0, vu c1, vu &x0, vu &x1) {  // Threefry-2x32-20
  const vu schedule[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  static const int turns[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  x0 = c0 + k0; x1 = c1 + k1;
#pragma GCC unroll 20
  for (int r = 0; r < 20; ++r) {
    const int turn = turns[r / 4 % 2][r % 4];
    x0 += x1; x1 = (x1 << turn | x1 >> (32 - turn)) ^ x0;
    if (r % 4 == 3) { x0 += schedule[(r / 4 + 1) % 3]; x1 += schedule[(r / 4 + 2) % 3] + (uint32_t)(r / 4 + 1); }
  }
}

INLINE void normal_pair(vu k0, vu k1, vu c0, vu c1, vf &left, vf &right) {  // Box and Muller, as in sgdsim
  vu a, b;
  threefry(k0, k1, c0, c1, a, b);
  const vf u = __builtin_convertvector(a, vf) * 0x1p-32f + 0x1p-33f, turn = __builtin_convertvector((vi)b, vf) * 0x1p-30f;
  const vf quadrant = round_(turn), x = turn - quadrant, z = x * x, size = quadrant < 0.f ? -quadrant : quadrant;
  vf s = z * 0.00016044118f - 0.004681754f, c = z * 0.00091926027f - 0.020863481f;
  s = s * z + 0.07969262f; s = s * z - 0.64596409f; s = (s * z + 1.5707963f) * x;
  c = c * z + 0.25366951f; c = c * z - 1.2337006f; c = c * z + 1.f;
  const vf length = sqrt_(-2.f * log_(u));
  const vf radius = (quadrant == -1.f) | (size == 2.f) ? -length : length;
  left = radius * (size == 1.f ? s : c);
  right = radius * (size == 1.f ? c : s);
}
