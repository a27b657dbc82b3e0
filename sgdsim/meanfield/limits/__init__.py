"""What particles converge to."""
