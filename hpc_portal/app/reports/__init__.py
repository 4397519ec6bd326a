"""Reports: who used what, what was wasted, when budgets end, what the city may show; and their files."""
