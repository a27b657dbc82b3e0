// Products of lower triangular matrices with vectors from both sides: each matrix is read once for the two.

// down = left @ L and across = L @ right, of the first `size` rows and columns. What is above the diagonal is zero and
// n is a multiple of W, so W rows at a time go from the first column to the whole vector that holds the diagonal. W rows
// and not fewer: for each vector of the matrix, two of other arrays are loaded and one is stored only once in W.
INLINE void both(const REAL *L, int64_t n, int64_t size, const REAL *left, const REAL *right, REAL *down, REAL *across) {
  memset(down, 0, n * sizeof(REAL));
  memset(across, 0, n * sizeof(REAL));
  for (int64_t i = 0; i < size; i += W) {
    real factors[W], sums[W];
    for (int r = 0; r < W; ++r) factors[r] = splat<real>(left[i + r]), sums[r] = splat<real>(0);
    for (int64_t j = 0; j <= i; j += W) {
      real below = row_vector(down + j);
      const real beside = row_vector(right + j);
      for (int r = 0; r < W; ++r) {
        const real elements = row_vector(L + (i + r) * n + j);
        below += factors[r] * elements;
        sums[r] += elements * beside;
      }
      memcpy(down + j, &below, sizeof below);
    }
    for (int r = 0; r < W; ++r) across[i + r] = total(sums[r]);
  }
}

// Arguments: all matrices (..., n, n), all vectors from the left (..., n), all from the right, and the sizes (...).
// Results: all products from the left, then all from the right.
static void execute(const XLA_FFI_CallFrame *frame) {
  const int count = frame->rets.size / 2;
  const XLA_FFI_Buffer *sizes = (const XLA_FFI_Buffer *)frame->args.args[3 * count];
  int64_t elements = 1;
  for (int64_t axis = 0; axis < sizes->rank; ++axis) elements *= sizes->dims[axis];
  const int64_t n = extent(frame, count, sizes->rank);
  for (int64_t element = 0; element < elements; ++element) {
    const int64_t size = argument<int64_t>(frame, 3 * count)[element], vector = element * n;
    for (int each = 0; each < count; ++each) {
      both(argument<REAL>(frame, each) + vector * n, n, size, argument<REAL>(frame, count + each) + vector,
           argument<REAL>(frame, 2 * count + each) + vector, result<REAL>(frame, each) + vector,
           result<REAL>(frame, count + each) + vector);
    }
  }
}
