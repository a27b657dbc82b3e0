"""The endings of the names of variables in a Dataset; without JAX, for those who only read it."""

PREDICTED_STD, PREDICTED = "_predicted_std", "_predicted"
"""Endings of an observable's predicted spread, and of a predicted mean deviation."""
KEPT = "_final"
"""Ending of the values that are kept for every replica, at the last save time."""
