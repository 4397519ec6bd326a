"""The files that a project's people share and its jobs read: one file per verb."""
