// The products that T steps of the mean-field theory of signal recovery take, and nothing else: for each of four lower
// triangular matrices, left @ L and L @ right of its first t rows and columns, t = 1..T, in one pass over L.
#include <cstddef>

constexpr std::size_t ROWS = 8;  // at a time: each load and store of `down` serves so many

static void both(const double *L, std::size_t n, std::size_t size, const double *left, const double *right,
                 double *__restrict down, double *__restrict across) {
  for (std::size_t j = 0; j < size; ++j) down[j] = 0;
  for (std::size_t i = 0; i < size; i += ROWS) {
    const std::size_t rows = size - i < ROWS ? size - i : ROWS;
    if (rows == ROWS) {
      double sums[ROWS] = {};
      for (std::size_t j = 0; j < i + ROWS; ++j) {
        double total = down[j];
        for (std::size_t r = 0; r < ROWS; ++r) {
          const double element = L[(i + r) * n + j];
          total += left[i + r] * element;
          sums[r] += element * right[j];
        }
        down[j] = total;
      }
      for (std::size_t r = 0; r < ROWS; ++r) across[i + r] = sums[r];
    } else {
      for (std::size_t r = i; r < i + rows; ++r) {
        double sum = 0;
        for (std::size_t j = 0; j <= r; ++j) {
          down[j] += left[r] * L[r * n + j];
          sum += L[r * n + j] * right[j];
        }
        across[r] = sum;
      }
    }
  }
}

// matrices: four of n x n one after another, zero above the diagonal; vector: n; results: 2 n.
extern "C" void dmft(const double *matrices, std::size_t n, std::size_t steps, const double *vector,
                         double *results) {
  for (std::size_t size = 1; size <= steps; ++size)
    for (int matrix = 0; matrix < 4; ++matrix)
      both(matrices + matrix * n * n, n, size, vector, vector, results, results + n);
}
