"""The commands: `hpc-portal` for who runs the portal, `hpc` for who runs jobs."""
