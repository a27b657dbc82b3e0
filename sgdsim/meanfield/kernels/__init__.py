"""Steps of particles."""
