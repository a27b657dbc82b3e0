"""Labelled images: digits that come with packages, and folders of IDX files, split and standardised once."""
