"""The run directory: what a run leaves on disk, who works in it, and all that taking it up again needs."""
