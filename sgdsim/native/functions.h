// Functions of lanes. Polynomials are interpolated at Chebyshev points; what is rare is left to the C library.

template <class F, int N> INLINE F polynomial(F x, const double (&coefficients)[N]) {
  F sum = splat<F>(coefficients[N - 1]);
  for (int i = N - 2; i >= 0; --i) sum = sum * x + splat<F>(coefficients[i]);
  return sum;
}

// log(x): x = 2^e (1 + t) with 1 + t between sqrt(1/2) and sqrt(2). Beyond 0 < x < infinity its limits.
template <class F> INLINE F log_limits(F x, F result) {
  const F infinity = splat<F>(__builtin_inf());
  const F beyond = pick(as_mask(x > 0), x, pick(as_mask(x == 0), -infinity, splat<F>(__builtin_nan(""))));
  return pick(as_mask(x > 0) & as_mask(x < infinity), result, beyond);
}

INLINE f32 log_(f32 x) {
  const i32 bits = (i32)x, exponent = (bits - 0x3f3504f3) >> 23;
  const f32 e = __builtin_convertvector(exponent, f32), t = (f32)(bits - (exponent << 23)) - 1;
  const f32 square = t * t;
  const f32 cubic = polynomial(t, {0.33333331346, -0.25000306964, 0.20001044869, -0.16641281545, 0.14214496315,
                                   -0.12998183072, 0.12622319162, -0.079027436674});
  const f32 small = (cubic * t - 0.5f) * square + e * -2.12194440e-4f;
  return log_limits(x, (t + small) + e * 0.693359375f);
}

INLINE f64 log_(f64 x) {
  const i64 bits = (i64)x, exponent = (bits - 0x3fe6a09e667f3bcdll) >> 52;
  const f64 e = __builtin_convertvector(exponent, f64), t = (f64)(bits - (exponent << 52)) - 1;
  // With s = t/(2 + t): log(1 + t) = 2s + s R = t - t^2/2 + s (t^2/2 + R).
  const f64 s = t / (2 + t), z = s * s, half = 0.5 * t * t;
  const f64 R = z * polynomial(z, {0.6666666666666666, 0.4000000000000088, 0.28571428570803614, 0.22222222391713917,
                                   0.18181795640132906, 0.15386239702814658, 0.13268773138656886, 0.13086626147840102});
  const f64 small = half - (s * (half + R) + e * 1.90821492927058770002e-10);
  return log_limits(x, e * 6.93147180369123816490e-01 - (small - t));
}

// y 2^n for whole n, in two factors where one would overflow.
template <class F> INLINE F scale(F y, F n) {
#if BYTES == 64
  if constexpr (sizeof(F) == 64 && sizeof(y[0]) == 4) return (F)_mm512_scalef_ps((__m512)y, (__m512)n);
  if constexpr (sizeof(F) == 64 && sizeof(y[0]) == 8) return (F)_mm512_scalef_pd((__m512d)y, (__m512d)n);
#endif
  typedef decltype(y < n) whole;
  constexpr int bias = sizeof(y[0]) == 4 ? 127 : 1023, mantissa = sizeof(y[0]) == 4 ? 23 : 52;
  const whole all = __builtin_convertvector(n, whole), half = all >> 1;
  return y * (F)((half + bias) << mantissa) * (F)((all - half + bias) << mantissa);
}

// exp(x) = 2^n exp(r) with |r| <= log(2)/2.
INLINE f32 exp_(f32 x) {
  x = pick(as_mask(x < -104.0f), splat<f32>(-104), x);
  x = pick(as_mask(x > 89.0f), splat<f32>(89), x);
  const f32 n = round_even(x * 1.44269504f), r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  const f32 P = polynomial(r, {0.5, 0.16666576266, 0.041666552424, 0.0083632329479, 0.0013926250394});
  return scale(P * (r * r) + r + 1, n);
}

INLINE f64 exp_(f64 x) {
  x = pick(as_mask(x < -746.0), splat<f64>(-746), x);
  x = pick(as_mask(x > 710.0), splat<f64>(710), x);
  const f64 n = round_even(x * 1.4426950408889634);
  const f64 r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  const f64 P = polynomial(r, {0.5000000000000001, 0.16666666666666669, 0.041666666666623824, 0.008333333333330039,
                               0.0013888888917367081, 0.00019841269863171557, 2.4801521057868204e-05,
                               2.7557268276905696e-06, 2.7620201591031547e-07, 2.5100472505694996e-08});
  return scale(P * (r * r) + r + 1, n);
}

// erf(x) = x N(x^2)/D(x^2) up to 3.92, from where on it is 1 in this precision: a rational fit in relative error.
INLINE f32 erf_(f32 x) {
  f32 y = pick(as_mask(x > 3.92f), splat<f32>(3.92f), x);
  y = pick(as_mask(x < -3.92f), splat<f32>(-3.92f), y);
  const f32 z = y * y;
  const f32 N = polynomial(z, {1.1283791065, 0.19039687514, 0.052747275681, 0.0037651590537, 0.00028486485826,
                               2.0500617666e-06});
  const f32 D = polynomial(z, {1, 0.50206756592, 0.11410499096, 0.014968302101, 0.0011624104809, 3.8090514863e-05});
  return y * N / D;
}

// A series below 1; above, 1 - exp(-x^2) G((x - 3)/(x + 3))/(1 + 2x).
INLINE f64 erf_(f64 x) {
  f64 a = absolute(x);
  a = pick(as_mask(a > 6.0), splat<f64>(6), a);
  const f64 t = (a - 3) / (a + 3);
  const f64 inner = x * polynomial(x * x, {1.1283791670955126, -0.37612638903183543, 0.11283791670945006,
                                           -0.02686617064323777, 0.0052239776071164225, -0.0008548325975389692,
                                           0.00012055294904839707, -1.492473690741966e-05, 1.6447424703317362e-06,
                                           -1.6208483801871705e-07, 1.3720064546777686e-08, -7.795898827002142e-10});
  const f64 G = polynomial(t, {1.2530080582697296, -0.13562110612458125, -0.04756229435345085, 0.12964515870278198,
                               -0.11927366341530368, 0.06830802734226013, -0.02377051491964532, 0.0025293918800166596,
                               0.001888690435755151, -0.0007798334986943698, -0.00010516209075560504,
                               0.0001251113727344013, 4.981552845529902e-06, -2.0149085338203128e-05,
                               -9.42849855288661e-07, 3.4332620536546143e-06, 8.708139946402519e-07});
  return pick(as_mask(a < 1), inner, with_sign(1 - exp_(-a * a) * G / (1 + 2 * a), x));
}

// A series below 0.6; above, 1 - 2/(exp(2x) + 1).
INLINE f32 tanh_(f32 x) {
  const f32 a = absolute(x), z = x * x;
  const f32 inner = x + x * z * polynomial(z, {-0.33333328366, 0.13332718611, -0.053843263537, 0.020961329341,
                                               -0.0060451650060});
  return pick(as_mask(a < 0.6f), inner, with_sign(1 - 2 / (exp_(a + a) + 1), x));
}

template <class F> INLINE F logistic_(F x) { return 1 / (1 + exp_(-x)); }

INLINE f64 tanh_(f64 x) { return each(x, [](double y) { return std::tanh(y); }); }

#define FROM_LIBRARY(name) \
  template <class F> INLINE F name##_(F x) { return each(x, [](auto y) { return std::name(y); }); }
FROM_LIBRARY(cbrt)
FROM_LIBRARY(exp2)
FROM_LIBRARY(expm1)
FROM_LIBRARY(log1p)
FROM_LIBRARY(erfc)
FROM_LIBRARY(sinh)
FROM_LIBRARY(cosh)
FROM_LIBRARY(sin)
FROM_LIBRARY(cos)
FROM_LIBRARY(tan)
FROM_LIBRARY(asin)
FROM_LIBRARY(acos)
FROM_LIBRARY(atan)
FROM_LIBRARY(asinh)
FROM_LIBRARY(acosh)
FROM_LIBRARY(atanh)

#define FROM_LIBRARY_OF_TWO(name, function) \
  template <class F> INLINE F name(F x, F y) { \
    F result; \
    for (int lane = 0; lane < W; ++lane) result[lane] = std::function(x[lane], y[lane]); \
    return result; \
  }
FROM_LIBRARY_OF_TWO(pow_, pow)
FROM_LIBRARY_OF_TWO(atan2_, atan2)
