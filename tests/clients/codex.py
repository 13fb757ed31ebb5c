"""Codex itself: where to get it, and how to run it once without a terminal."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.clients.npm import Package
from tests.clients.running import KEY

CODEX = Package("@openai/codex", "0.169.0", "@openai/codex-*/vendor/*/bin/codex")
RUN_SECONDS = 60.0

_CUSTOM = """
model_provider = "kiro2api"

[model_providers.kiro2api]
name = "kiro2api"
base_url = "{url}"
env_key = "KIRO2API_KEY"
wire_api = "responses"
"""
_BUILT_IN = """
openai_base_url = "{url}"
"""
_QUIET = """
check_for_update_on_startup = false
{provider}
[analytics]
enabled = false
"""


class Run:
    """One finished run: what it printed, event by event."""

    def __init__(self, output: str, status: int) -> None:
        self.output = output
        self.status = status
        self.events: list[dict[str, Any]] = [
            json.loads(line) for line in output.splitlines() if line.startswith("{")
        ]

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The finished items of one type, in order."""
        items = [e["item"] for e in self.events if e["type"] == "item.completed"]
        return [item for item in items if item["type"] == kind]

    @property
    def answer(self) -> str:
        """The last message."""
        return str(self.items("agent_message")[-1]["text"])

    @property
    def completed(self) -> bool:
        """Whether the turn came to its end."""
        return self.status == 0 and self.events[-1]["type"] == "turn.completed"

    @property
    def complaint(self) -> str:
        """Why the turn failed."""
        failed = [e for e in self.events if e["type"] == "turn.failed"]
        return str(failed[-1]["error"]["message"]) if failed else ""


class Codex:
    """Runs the program in an empty home and a work folder with a secret in it."""

    def __init__(self, program: Path, folder: Path, secret: str) -> None:
        self._program = program
        self.home = folder / "home"
        self.work = folder / "work"
        self.secret = secret
        (self.home / ".codex").mkdir(parents=True)
        self.work.mkdir()
        (self.work / "secret.txt").write_text(f"The secret is {secret}.\n", "utf-8")

    def ask(self, prompt: str, url: str, model: str, *, key: str = KEY) -> Run:
        """Ask once, with the service as a provider of its own at ``url``."""
        self._configure(_CUSTOM, url)
        return self._run(prompt, model, KIRO2API_KEY=key)

    def ask_as_openai(self, prompt: str, url: str, model: str) -> Run:
        """Ask once, with the service in the place of OpenAI itself."""
        self._configure(_BUILT_IN, url)
        self._start(["login", "--with-api-key"], KEY.encode(), {})
        return self._run(prompt, model)

    def _configure(self, provider: str, url: str) -> None:
        text = _QUIET.format(provider=provider.format(url=url))
        (self.home / ".codex" / "config.toml").write_text(text, "utf-8")

    def _run(self, prompt: str, model: str, **variables: str) -> Run:
        words = ["exec", "--skip-git-repo-check", "--json", "-m", model]
        words += ["--dangerously-bypass-approvals-and-sandbox", prompt]
        return self._start(words, b"", variables)

    def _start(self, words: list[str], given: bytes, variables: dict[str, str]) -> Run:
        finished = subprocess.run(
            [str(self._program), *words],
            cwd=self.work,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **variables},
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_SECONDS,
        )
        return Run(finished.stdout.decode("utf-8", "replace"), finished.returncode)
