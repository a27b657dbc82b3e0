"""Names of the variables of a dataset, for those that read one: nothing here needs JAX."""

INTRODUCTION = ("problem", "start", "simulator", "theory", "seed", "wall_seconds", "version")
"""Attributes of a Dataset that say what was asked of `simulate` or `solve`, and what answered."""
EACH_DEVIATION = {
    "sup_deviation": "maximum over the save times of |Omega - Omega_bar|_inf",
    "final_deviation": "|Omega - Omega_bar|_inf at the last save time",
}
"""Distances of a replica from theory that are kept for every replica."""
MAX_DEVIATION = "max_deviation"
"""max_t E |Omega - Omega_bar|_inf, the theorem's: the largest `deviation`, a mean over replicas, of all save times."""
DEVIATIONS = {MAX_DEVIATION: "maximum over the save times of the mean of |Omega - Omega_bar|_inf"} | EACH_DEVIATION
"""All numbers that say how far a cell is from theory. max_deviation <= the mean of sup_deviation."""
PREDICTED_STD, PREDICTED = "_predicted_std", "_predicted"
"""Endings of an observable's predicted spread, and of a predicted mean deviation."""
KEPT = "_final"
"""Ending of the values that are kept for every replica, at the last save time."""
STD, BIAS = "_std", "_bias"
"""Endings of an observable's standard deviation over replicas, and of the distance of its mean from theory."""
LARGEST = "_largest"
"""Ending of an observable's largest mean over the save times."""
