"""kiro2api: Anthropic and OpenAI APIs in front of the operator's own Kiro accounts."""

__version__ = "1.0.0"
