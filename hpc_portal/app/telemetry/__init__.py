"""What operators' machines read of the portal: counters of a process, the whole's state, health."""
