"""Tests of the chat completions dialect."""
