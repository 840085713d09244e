"""Dropout as layers of a network: what remembers a rate, an Rng and the last forward."""
