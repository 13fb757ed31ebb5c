"""Codex itself: where to get it, and how to run it once without a terminal."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.clients.running import KEY

PACKAGE = "@openai/codex"
VERSION = "0.169.0"
INSTALL_SECONDS = 240.0
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


class NotInstalled(Exception):
    """Codex cannot be had here; the message says why."""


def installed(cache: Path) -> Path:
    """The program, from the cache or else from npm; raises NotInstalled."""
    folder = cache / "codex" / VERSION
    if (program := _program(folder)) is not None:
        return program
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled(f"npm is needed to install {PACKAGE}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        _install(npm, fresh)
        # Installed elsewhere and renamed: half an installation never looks like a whole one.
        if not folder.exists():
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    program = _program(folder)
    if program is None:
        raise NotInstalled(f"{PACKAGE} {VERSION} has no program for this machine")
    return program


def _program(folder: Path) -> Path | None:
    """The native program lies in a package of its own for each kind of machine."""
    found = folder.glob("node_modules/@openai/codex-*/vendor/*/bin/codex")
    return next((path for path in found if os.access(path, os.X_OK)), None)


def _install(npm: str, folder: Path) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(
            [npm, "install", *options, "--prefix", str(folder), f"{PACKAGE}@{VERSION}"],
            check=True,
            capture_output=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"npm took longer than {INSTALL_SECONDS:g} seconds") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace")[-500:]
        raise NotInstalled(f"npm cannot install {PACKAGE}: {reason}") from None


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
