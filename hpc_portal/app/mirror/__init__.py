"""Has the cluster itself enforce what the portal knows: accounts, members, limits and budgets."""
