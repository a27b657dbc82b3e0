"""Wide two-layer networks: SGD with gamma_N = gamma N^beta, propagation of chaos and McKean-Vlasov limits."""
