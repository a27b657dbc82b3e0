"""Running an experiment: here, on a cluster, in parts; and what is done with the folders that runs leave."""
