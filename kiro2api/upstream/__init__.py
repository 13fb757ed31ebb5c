"""HTTP towards the upstream service."""
