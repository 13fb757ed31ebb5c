"""Tests of the console script: commands against a scripted service."""
