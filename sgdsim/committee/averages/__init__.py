"""Gaussian averages over the fields of teacher and student: in closed form, by series, and over points."""
