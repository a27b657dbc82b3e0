"""Statistics of an ensemble: moments, datasets, and fits with error bars."""
