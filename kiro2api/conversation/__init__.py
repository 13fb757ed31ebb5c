"""The neutral language between client dialects and the upstream."""
