"""Kernels: the steps of the particles alone, beside their limits, and beside the linearised network."""
