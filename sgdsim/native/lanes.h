// Vectors of lanes: types, and the operations that C++ has no sign for. REAL, the type of a loop, is defined before.
//
// A vector of REAL is as wide as the processor's. Every operation is that of IEEE 754 on each lane, so the bits of a
// result do not depend on the width; they do on whether the processor has fused multiply-add.
#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define BYTES 64
#elif defined(__AVX2__)
#define BYTES 32
#else
#define BYTES 16
#endif

// Four lanes at least: a vector of 32-bit words of half a register's width is of no use to a loop in double precision.
static constexpr int W = BYTES / sizeof(REAL) < 4 ? 4 : BYTES / sizeof(REAL);

typedef float f32 __attribute__((vector_size(4 * W)));
typedef double f64 __attribute__((vector_size(8 * W)));
typedef int32_t i32 __attribute__((vector_size(4 * W)));
typedef int64_t i64 __attribute__((vector_size(8 * W)));
typedef uint32_t u32 __attribute__((vector_size(4 * W)));
typedef uint64_t u64 __attribute__((vector_size(8 * W)));
typedef REAL real __attribute__((vector_size(sizeof(REAL) * W)));
// All bits of a lane are set or none, in words of the size of REAL.
typedef decltype(real{} < real{}) mask;

template <class V, class T> INLINE V splat(T x) { return (decltype(+V{}[0]))x - V{}; }

template <class M> INLINE mask as_mask(M m) {
  if constexpr (sizeof(M) == sizeof(mask)) return (mask)m;
  else return __builtin_convertvector(m, mask);
}

// a where m, else b.
template <class V> INLINE V pick(mask m, V a, V b) {
  if constexpr (sizeof(V) == sizeof(mask)) return m ? a : b;
  else return __builtin_convertvector(m, decltype(a < b)) ? a : b;
}

// Not-a-number wins, as in JAX.
template <class V> INLINE V maximum(V a, V b) { return pick(as_mask(a > b) | as_mask(a != a), a, b); }
template <class V> INLINE V minimum(V a, V b) { return pick(as_mask(a < b) | as_mask(a != a), a, b); }

INLINE f32 absolute(f32 x) { return (f32)((u32)x & 0x7fffffffu); }
INLINE f64 absolute(f64 x) { return (f64)((u64)x & 0x7fffffffffffffffull); }
INLINE f32 with_sign(f32 x, f32 of) { return (f32)((u32)x | ((u32)of & 0x80000000u)); }  // x >= 0
INLINE f64 with_sign(f64 x, f64 of) { return (f64)((u64)x | ((u64)of & 0x8000000000000000ull)); }
template <class F> INLINE mask is_finite(F x) { return as_mask(absolute(x) < splat<F>(__builtin_inf())); }
template <class F> INLINE F sign_(F x) { return pick(as_mask(x > 0), splat<F>(1), pick(as_mask(x < 0), splat<F>(-1), x)); }

template <int N, class V> INLINE V power(V x) {
  if constexpr (N == 0) return splat<V>(1);
  else if constexpr (N == 1) return x;
  else if constexpr (N % 2 == 0) return power<N / 2, V>(x * x);
  else return x * power<N - 1, V>(x);
}

template <class F, class Function> INLINE F each(F x, Function function) {
  F result;
  for (int lane = 0; lane < W; ++lane) result[lane] = function(x[lane]);
  return result;
}

template <class F> INLINE F round_even(F x) {
#if BYTES >= 32
  if constexpr (sizeof(F) == 32 && sizeof(x[0]) == 4) return (F)_mm256_round_ps((__m256)x, 8);
  if constexpr (sizeof(F) == 32 && sizeof(x[0]) == 8) return (F)_mm256_round_pd((__m256d)x, 8);
#endif
#if BYTES == 64
  if constexpr (sizeof(F) == 64 && sizeof(x[0]) == 4) return (F)_mm512_roundscale_ps((__m512)x, 8);
  if constexpr (sizeof(F) == 64 && sizeof(x[0]) == 8) return (F)_mm512_roundscale_pd((__m512d)x, 8);
#endif
  // The sum with a number whose last bit counts ones is rounded to one; beyond it there are only integers.
  const F one_bit = splat<F>(sizeof(x[0]) == 4 ? 0x1p23 : 0x1p52), size = absolute(x);
  return pick(as_mask(size < one_bit), with_sign((size + one_bit) - one_bit, x), x);
}

template <class F> INLINE F round_away(F x) { return each(x, [](auto y) { return std::round(y); }); }

template <class F> INLINE F floor_(F x) {
  const F near = round_even(x);
  return pick(as_mask(near > x), near - 1, near);
}

template <class F> INLINE F ceil_(F x) { return -floor_(-x); }

template <class F> INLINE F sqrt_(F x) {
#if defined(__x86_64__)
  if constexpr (sizeof(F) == 16 && sizeof(x[0]) == 4) return (F)_mm_sqrt_ps((__m128)x);
#endif
#if BYTES >= 32
  if constexpr (sizeof(F) == 32 && sizeof(x[0]) == 4) return (F)_mm256_sqrt_ps((__m256)x);
  if constexpr (sizeof(F) == 32 && sizeof(x[0]) == 8) return (F)_mm256_sqrt_pd((__m256d)x);
#endif
#if BYTES == 64
  if constexpr (sizeof(F) == 64 && sizeof(x[0]) == 4) return (F)_mm512_sqrt_ps((__m512)x);
  if constexpr (sizeof(F) == 64 && sizeof(x[0]) == 8) return (F)_mm512_sqrt_pd((__m512d)x);
#endif
  return each(x, [](auto y) { return std::sqrt(y); });
}

// An estimate refined by Newton's rule would be faster, and other bits on other processors.
template <class F> INLINE F rsqrt_(F x) { return 1 / sqrt_(x); }
