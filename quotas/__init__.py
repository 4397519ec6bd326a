"""Who may use how much, and what it costs."""
