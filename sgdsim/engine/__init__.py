"""Running a sweep: here, on a cluster, in parts; and what is done with the folders it leaves."""
