"""What the city's administrators announce to everybody, or to one organisation, for a time."""
