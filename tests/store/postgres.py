"""A real PostgreSQL for the tests, from the system's binaries, gone with the process.

One server for all tests of a process, a schema of its own for each test.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest import SkipTest

PASSWORD = "canary-p%40ss"
"""As it stands in an address: with a character that had to be encoded."""

NOBODY = 65534
PATIENCE = 60.0


def binaries() -> Path | None:
    """Where the newest server is installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    good = [path for path in found if (path / "postgres").exists()]
    return max(good, key=lambda path: float(path.parent.name), default=None) if good else None


def required() -> Path:
    """The same; skips the test where there is none, except where all must be tested."""
    found = binaries()
    if found is None:
        said = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        if os.environ.get("CI") == "true":
            raise AssertionError(said)
        raise SkipTest(said)
    return found


class Server:
    """One running server; its data is in a folder of its own, its socket, too."""

    def __init__(self, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._numbers = count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="kiro-pg-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        # Neither program runs as root.
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self._who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        word = self.folder / "password"
        word.write_text("canary-p@ss\n")
        if self._who:
            os.chown(word, NOBODY, NOBODY)
        subprocess.run(
            [
                bin_folder / "initdb",
                *("-D", self.folder / "data", "-U", "kiro", "-E", "UTF8", "--locale=C"),
                *("--auth=scram-sha-256", f"--pwfile={word}", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **self._who,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command: list[Any] = [
            self._bin / "postgres",
            *("-D", self.folder / "data", "-k", self.folder),
            *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=40"),
        ]
        # It must not outlive a process that is killed.
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "QUIT", *command]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd="/", start_new_session=True, **self._who
        )
        log.close()
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text("utf-8"))
            time.sleep(0.02)

    def stop(self, how: str = "INT") -> None:
        """End it and all its connections at once."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal({"INT": 2, "QUIT": 3}[how])
            process.wait(PATIENCE)

    def forget(self) -> None:
        """End it and drop its data."""
        self.stop("QUIT")
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, schema: str = "public", database: str = "postgres") -> str:
        """As an operator would write it."""
        return (
            f"postgresql+psycopg://kiro:{PASSWORD}@/{database}"
            f"?host={self.folder}&options=-csearch_path%3D{schema}"
        )

    def fresh(self, cleanup: Callable[[Callable[[], object]], object]) -> str:
        """The address of an empty schema, which is dropped in the end."""
        name = f"test_{next(self._numbers)}"
        self.say(f"CREATE SCHEMA {name}")
        cleanup(lambda: self.say(f"DROP SCHEMA {name} CASCADE"))
        return self.address(name)

    def say(self, *statements: str) -> list[tuple[Any, ...]]:
        """What the last statement answers, asked by somebody else."""
        with self.connected() as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def connected(self) -> Any:
        """A connection of somebody else's; each statement is a transaction."""
        import psycopg

        return psycopg.connect(
            host=str(self.folder),
            user="kiro",
            password="canary-p@ss",
            dbname="postgres",
            autocommit=True,
        )

    def _answers(self) -> bool:
        import psycopg

        try:
            self.connected().close()
        except psycopg.OperationalError:
            return False
        return True


@cache
def server() -> Server:
    """The one of this process; skips the test where PostgreSQL is not installed."""
    one = Server(required())
    atexit.register(one.forget)
    one.start()
    return one
