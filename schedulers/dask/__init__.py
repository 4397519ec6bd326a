"""A scheduler on Dask workers: placement here, processes under a supervisor on each node."""
