"""Laws that are fitted across the cells of a grid."""
