"""Blocks made on a Dask cluster."""
