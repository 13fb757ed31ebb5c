"""The operator's accounts: values, choice, leases, refresh."""
