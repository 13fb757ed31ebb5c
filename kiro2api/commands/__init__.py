"""The console script ``kiro2api``: what an operator does without a browser."""
