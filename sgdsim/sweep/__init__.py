"""Sweeps: from an experiment file to cells, blocks, and the results on disk."""
