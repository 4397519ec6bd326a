"""What a person should see first: what happened while they were away, and what to do when nothing has yet."""
