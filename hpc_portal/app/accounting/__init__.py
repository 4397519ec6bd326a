"""Months are closed, roll-ups audited, and what does not add up is listed until somebody has seen to it."""
