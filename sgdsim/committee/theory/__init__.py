"""What theory says of a committee: ODEs, fluctuations about them, and the laws that are expected."""
