"""What is not kept for ever, and for how long: never the ledger, the audit log, or what somebody disputes."""
