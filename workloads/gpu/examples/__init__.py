"""A design and a library to try the GPU templates with."""
