"""The two commands: `hpc` for users, `hpc-portal` for operators."""
