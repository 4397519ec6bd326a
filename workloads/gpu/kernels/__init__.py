"""The GPU templates' programs, as they travel with a job: NumPy, or CuPy where there is a GPU."""
