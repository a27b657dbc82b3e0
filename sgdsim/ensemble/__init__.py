"""Many replicas at once: keys, tiles, devices, save times, statistics; and the contracts of all systems."""
