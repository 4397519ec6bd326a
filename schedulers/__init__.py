"""What a cluster is, in the field's words: the scheduler seam and its backends."""
