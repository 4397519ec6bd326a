"""Storage: how much lies in the workspaces of projects, and what follows from that."""
