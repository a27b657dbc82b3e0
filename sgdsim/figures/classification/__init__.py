"""Figures of networks on images."""
