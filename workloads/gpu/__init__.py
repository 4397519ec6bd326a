"""Computations that are worth a GPU, and run the same on NumPy where there is none."""
