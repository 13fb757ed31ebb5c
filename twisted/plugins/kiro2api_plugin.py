"""Makes `twistd kiro2api` and `twistd kiro2api-emulator` known; must import nothing of ours."""

from twisted.application.service import ServiceMaker

kiro2api = ServiceMaker(
    "kiro2api",
    "kiro2api.tap",
    "Anthropic and OpenAI APIs in front of your own Kiro accounts.",
    "kiro2api",
)

kiro2api_emulator = ServiceMaker(
    "kiro2api-emulator",
    "kiro2api.emulator.tap",
    "A strict stand-in for the CodeWhisperer service, for tests and demonstrations.",
    "kiro2api-emulator",
)
