"""What people run: templates that render to a JobSpec and parse its results."""
