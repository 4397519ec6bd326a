"""The portal: one place to request quota, submit, schedule, watch, account and report."""
