"""Tests of the operator's API."""
