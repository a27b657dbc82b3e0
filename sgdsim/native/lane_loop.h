// A `LaneLoop` (sgdsim/ensemble/lane_loop.py): WHOLE, FIXED and CONSTANTS count its numbers; `step` and `fold` are
// emitted. A group of W lanes makes all steps before the next one begins, with its numbers in registers and the nearest
// cache. Lanes that fill up the last group are zeros, and nobody reads what becomes of them.

struct Group {
  f64 state[WHOLE];
  real fixed[FIXED + 1];
  u32 keys[2];
};

// One number of a group from, or to, a row of all lanes.
template <class V, class T> INLINE V load(const T *row, int64_t count) {
  V vector = splat<V>(0);
  for (int lane = 0; lane < count; ++lane) vector[lane] = row[lane];
  return vector;
}

static void segment_of(Group &group, const real *constants, int64_t made, uint32_t steps) {
  const u64 at = splat<u64>(made);
  u32 key[2];
  fold(group.keys, &at, key);
  real whole[WHOLE], change[WHOLE];
  for (int i = 0; i < WHOLE; ++i) {
    whole[i] = __builtin_convertvector(group.state[i], real);
    change[i] = splat<real>(0);
  }
  for (uint32_t s = 0; s < steps; ++s) {
    const u32 index = splat<u32>(s);
    step(whole, group.fixed, constants, change, key, &index, change);
  }
  for (int i = 0; i < WHOLE; ++i) group.state[i] += __builtin_convertvector(change[i], f64);
}

static void execute(const XLA_FFI_CallFrame *frame) {
  const double *whole = argument<double>(frame, 0);
  const REAL *fixed = argument<REAL>(frame, 1), *numbers = argument<REAL>(frame, 2);
  const uint32_t *keys = argument<uint32_t>(frame, 3);
  const int64_t made = *argument<int64_t>(frame, 4), n_steps = *argument<int64_t>(frame, 5);
  const int64_t segment = *argument<int64_t>(frame, 6), lanes = extent(frame, 0, 1);
  double *out = result<double>(frame, 0);

  real constants[CONSTANTS + 1];
  for (int i = 0; i < CONSTANTS; ++i) constants[i] = splat<real>(numbers[i]);
  for (int64_t first = 0; first < lanes; first += W) {
    const int64_t count = lanes - first < W ? lanes - first : W;
    Group group;
    for (int i = 0; i < WHOLE; ++i) group.state[i] = load<f64>(whole + i * lanes + first, count);
    for (int i = 0; i < FIXED; ++i) group.fixed[i] = load<real>(fixed + i * lanes + first, count);
    for (int i = 0; i < 2; ++i) group.keys[i] = load<u32>(keys + i * lanes + first, count);
    for (int64_t done = 0; done < n_steps; done += segment) {
      segment_of(group, constants, made + done, n_steps - done < segment ? n_steps - done : segment);
    }
    for (int i = 0; i < WHOLE; ++i) {
      for (int lane = 0; lane < count; ++lane) out[i * lanes + first + lane] = group.state[i][lane];
    }
  }
}
