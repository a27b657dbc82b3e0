"""Figures of a run, drawn from its stored results only."""
