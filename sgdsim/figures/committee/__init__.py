"""Figures of the committee."""
