"""Gradient descent of a two-layer network with plain NumPy, by any optimiser, as its users write it."""

import numpy as np
from scipy.special import erf


def gradients(W, a, X, y):
    """Of (1/2n) sum_s (y_s - f(x_s))^2, f = (1/p) sum_i a_i erf(w_i.x/sqrt(2 d)), with respect to W and a."""
    p, d = W.shape
    of_W, of_a = np.zeros_like(W), np.zeros_like(a)
    for x, label in zip(X, y, strict=True):
        fields = W @ x / np.sqrt(d)
        error = a @ erf(fields / np.sqrt(2)) / p - label
        for i in range(p):
            of_W[i] += error * a[i] * np.sqrt(2 / np.pi) * np.exp(-(fields[i] ** 2) / 2) * x / (p * np.sqrt(d)) / len(X)
            of_a[i] += error * erf(fields[i] / np.sqrt(2)) / p / len(X)
    return of_W, of_a


class Hand:
    """A network W (p, d), a (p,) and what its optimiser remembers of each."""

    def __init__(self, name, W, a, **keys):
        self.name, self.W, self.a, self.keys, self.count = name, W.copy(), a.copy(), keys, 0
        self.first, self.second = [np.zeros_like(W), np.zeros_like(a)], [np.zeros_like(W), np.zeros_like(a)]

    def step(self, X, y, gamma, gamma_a=0.0):
        """One step with the rates gamma/(p sqrt(d)) and gamma_a/(p d), of gradients whose entries are of order 1."""
        (p, d), keys = self.W.shape, self.keys
        of_W, of_a = gradients(self.W, self.a, X, y)
        G = [of_W * p * np.sqrt(d), of_a * p]
        if keys.get("clip"):
            size = np.sqrt((G[0] ** 2).sum() + (G[1] ** 2).sum() * (gamma_a > 0))
            G = [part * min(1, keys["clip"] * p * np.sqrt(d) / size) for part in G]
        self.count += 1
        rates, parts = (gamma / (p * np.sqrt(d)), gamma_a / (p * d)), (self.W, self.a)
        for number, (part, g, rate) in enumerate(zip(parts, G, rates, strict=True)):
            part -= rate * (self._direction(number, g) + keys.get("decay", 0.0) / np.sqrt(d) * part)

    def _direction(self, number, g):
        keys, first, second = self.keys, self.first[number], self.second[number]
        if self.name == "sgd":
            return g
        if self.name == "sign":
            return np.sign(g)
        if self.name in ("momentum", "nesterov"):
            first[...] = keys["momentum"] * first + g
            return first if self.name == "momentum" else g + keys["momentum"] * first
        if self.name == "rmsprop":
            second[...] = keys["beta2"] * second + (1 - keys["beta2"]) * g**2
            return g / np.sqrt(second + keys["epsilon"])
        first[...] = keys["beta1"] * first + (1 - keys["beta1"]) * g
        second[...] = keys["beta2"] * second + (1 - keys["beta2"]) * g**2
        mean, square = first / (1 - keys["beta1"] ** self.count), second / (1 - keys["beta2"] ** self.count)
        return mean / (np.sqrt(square) + keys["epsilon"])
