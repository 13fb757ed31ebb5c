"""Durable state in an SQL database."""
