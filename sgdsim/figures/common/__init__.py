"""Figures of every system."""
