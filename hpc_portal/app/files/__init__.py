"""Job workspaces: where a job's inputs, logs and outputs lie."""
