"""AI workloads."""
