"""Relu networks that tell images apart: histograms of weights, accuracy and loss at a learning rate gamma N^beta."""

from sgdsim.classification.problem import Classification as Classification
from sgdsim.classification.simulator import Network as Network
from sgdsim.classification.starts import RandomStart as RandomStart
from sgdsim.images.images import Images as Images
from sgdsim.images.images import load_images as load_images
