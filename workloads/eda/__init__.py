"""Chip-design workloads."""
