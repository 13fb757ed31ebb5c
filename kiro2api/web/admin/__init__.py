"""What an operator asks of the service over HTTP: accounts, groups, keys, settings, records."""
