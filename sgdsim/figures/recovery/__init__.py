"""Figures of signal recovery."""
