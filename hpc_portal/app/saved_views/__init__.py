"""Views of the list of jobs that people keep: a name for a filter."""
