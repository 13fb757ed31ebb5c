"""The project's own benchmark: kiro2api beside a pass-through, in the same run."""
