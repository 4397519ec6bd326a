"""Site templates in the portal: who published which version of what, and who may use it."""
