"""The run directory: what a sweep leaves on disk, who works in it, and all that taking it up again needs."""
