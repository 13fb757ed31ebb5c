"""The clients' languages."""
