"""Campaigns: an array job and its reruns as one object, with results that are read once and kept."""
