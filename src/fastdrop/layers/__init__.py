"""Dropout as layers of a network: objects that hold p, an Rng, and what backward needs of the last forward."""
