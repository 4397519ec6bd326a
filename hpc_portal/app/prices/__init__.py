"""Prices as people meet them: lists in the making and published, subsidies, programmes."""
