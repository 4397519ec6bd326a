"""Notices: what people are told when something that concerns them was done; in the portal and by mail."""
