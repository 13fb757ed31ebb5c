"""Claude Code itself: where to get it, and how to run it once without a terminal."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.clients.npm import Package
from tests.clients.running import KEY

CLAUDE_CODE = Package("@anthropic-ai/claude-code", "2.1.330", "@anthropic-ai/claude-code-*/claude")
RUN_SECONDS = 45.0

_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
}


class Run:
    """One finished run: what it printed, event by event."""

    def __init__(self, output: str, status: int) -> None:
        self.output = output
        self.status = status
        self.events: list[dict[str, Any]] = [
            json.loads(line) for line in output.splitlines() if line.startswith("{")
        ]

    @property
    def result(self) -> str:
        """The final answer, or what went wrong."""
        final = self.events[-1]
        assert final["type"] == "result", self.output
        return str(final["result"])

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return bool(self.events[-1]["is_error"])

    def blocks(self, kind: str) -> list[dict[str, Any]]:
        """The content blocks of one type, in order."""
        return [block for block in self._blocks() if block["type"] == kind]

    def retries(self) -> list[dict[str, Any]]:
        """Announcements of another try."""
        return [event for event in self.events if event.get("subtype") == "api_retry"]

    def _blocks(self) -> Iterator[dict[str, Any]]:
        for event in self.events:
            content = event.get("message", {}).get("content", [])
            if isinstance(content, list):
                yield from content


class ClaudeCode:
    """Runs the program in an empty home and a work folder with a secret in it."""

    def __init__(self, program: Path, folder: Path, secret: str) -> None:
        self._program = program
        self.home = folder / "home"
        self.work = folder / "work"
        self.secret = secret
        self.file = self.work / "secret.txt"
        self.home.mkdir()
        self.work.mkdir()
        self.file.write_text(f"The secret is {secret}.\n", "utf-8")

    def ask(self, prompt: str, url: str, *options: str, **variables: str) -> Run:
        """Ask once, with the service at ``url``; ``variables`` are more of the environment."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "ANTHROPIC_BASE_URL": url,
            **_QUIET,
            **variables,
        }
        if "ANTHROPIC_AUTH_TOKEN" not in variables:
            environment.setdefault("ANTHROPIC_API_KEY", KEY)
        words = ["--output-format", "stream-json", "--verbose", "--allowedTools", "Bash Read"]
        finished = subprocess.run(
            [str(self._program), "-p", prompt, *words, *options],
            cwd=self.work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_SECONDS,
        )
        return Run(finished.stdout.decode("utf-8", "replace"), finished.returncode)

    def reading(self) -> str:
        """A prompt on which the emulator calls for the file."""
        call = json.dumps({"file_path": str(self.file)})
        return f"What does the file say?\ncall Read {call}"
