"""Client programs from npm, installed once into a cache."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 240.0


class NotInstalled(Exception):
    """A program cannot be had here; the message says why."""


@dataclass(frozen=True)
class Package:
    """One package and where its native program lies, which is a package of its own for each kind
    of machine."""

    name: str
    version: str
    pattern: str

    def program(self, cache: Path) -> Path:
        """The program, from the cache or else from npm; raises NotInstalled."""
        folder = cache / self.name.rpartition("/")[2] / self.version
        if (program := self._found(folder)) is not None:
            return program
        npm = shutil.which("npm")
        if npm is None:
            raise NotInstalled(f"npm is needed to install {self.name}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            self._install(npm, fresh)
            # Installed elsewhere and renamed: half an installation never looks like a whole one.
            if not folder.exists():
                fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        program = self._found(folder)
        if program is None:
            raise NotInstalled(f"{self.name} {self.version} has no program for this machine")
        return program

    def _found(self, folder: Path) -> Path | None:
        found = folder.glob(f"node_modules/{self.pattern}")
        return next((path for path in found if os.access(path, os.X_OK)), None)

    def _install(self, npm: str, folder: Path) -> None:
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            subprocess.run(
                [npm, "install", *options, "--prefix", str(folder), f"{self.name}@{self.version}"],
                check=True,
                capture_output=True,
                timeout=INSTALL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"npm took longer than {INSTALL_SECONDS:g} seconds") from None
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode("utf-8", "replace")[-500:]
            raise NotInstalled(f"npm cannot install {self.name}: {reason}") from None
