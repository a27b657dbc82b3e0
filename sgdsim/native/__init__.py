"""Hot loops as C++ on a CPU, made from the jaxpr of the very step that XLA compiles; never needed, faster where it is.

- `emit`: a jaxpr of scalars becomes C++ on vectors of lanes.
- `build`: a compiler is looked for, and what it made is kept.
- `form`: the loop of `ensemble.lane_loop` as one call of JAX's foreign-function interface.
"""
