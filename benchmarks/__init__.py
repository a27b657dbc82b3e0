"""What sgdsim costs on this machine, every figure beside the same job done otherwise in the same run."""
