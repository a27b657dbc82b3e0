"""Training on data: gradient descent with any optimiser, on data that are drawn once or fresh at every step."""
