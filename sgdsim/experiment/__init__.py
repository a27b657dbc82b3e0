"""From a file to the cells of a grid."""
