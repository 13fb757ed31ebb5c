"""Byte formats: AWS event stream frames and Server-Sent Events."""
