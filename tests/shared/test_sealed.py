"""A store with KIRO_SECRET_KEY, from start to start."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from tests.live.reactor import reactor
from tests.shared.asking import Question
from tests.shared.case import MARGIN, Gate, InPostgres, SharedCase
from tests.store.postgres import server

FIRST = "an-invented-first-key"
SECOND = "an-invented-second-key"
QUESTION = Question("/v1/messages")


class SealedTests(SharedCase):
    """On one SQLite file."""

    lifetime = MARGIN + 1

    def stored(self) -> str:
        """Everything that is kept, as text."""
        paths = Path(self.variables["KIRO_DB_PATH"]).parent.glob("kiro2api.db*")
        return b"".join(path.read_bytes() for path in paths).decode("latin-1")

    def accounts_kept(self) -> list[tuple[Any, ...]]:
        """The rows of the accounts."""
        with contextlib.closing(sqlite3.connect(self.variables["KIRO_DB_PATH"])) as store:
            return store.execute("SELECT * FROM accounts ORDER BY fingerprint").fetchall()

    async def served(self, gate: Gate) -> None:
        """It has usable credentials, and renews them."""
        await self.sleep(self.lifetime - MARGIN + 0.1)
        before = self.emulator.counts()["ada"]
        self.assertEqual((await gate.client.ask(QUESTION)).status, 200)
        self.assertGreater(self.emulator.counts()["ada"], before)
        self.assertEqual(self.emulator.offences(), [])

    async def restarted(self, gate: Gate, key: str) -> None:
        """A stop and a start with this key."""
        await gate.stop()
        gate.variables["KIRO_SECRET_KEY"] = key
        gate.start()

    async def refused(self, gate: Gate, key: str, said: str) -> None:
        """A start with this key ends with one line, and nothing is changed."""
        await gate.stop()
        before = self.accounts_kept()
        await self.restarted(gate, key)
        await gate.gone()
        self.assertEqual(gate.process.returncode, 1)
        lines = gate.program.log.splitlines()
        told = [line for line in lines if said in line]
        self.assertTrue(told, str(lines))
        self.assertNotIn("Traceback", gate.program.log)
        # What is written to the terminal is one line; the log may say it once more.
        self.assertLess(len(lines), 4, str(lines))
        self.assertIn("KIRO_SECRET_KEY", told[-1])
        self.assertEqual(before, self.accounts_kept())

    async def test_from_start_to_start(self) -> None:
        """With the key, with another before it, with that alone; never without."""
        began = reactor.seconds()
        (gate,) = await self.start(1, KIRO_SECRET_KEY=FIRST)
        await self.served(gate)
        kept = self.stored()
        self.assertIn("sealed.1.", kept)
        for clear in ("refresh-ada", "aoa", "secret-grace", FIRST):
            self.assertNotIn(clear, kept.replace("sealed.1.", ""), clear)

        await self.restarted(gate, FIRST)
        await gate.up()
        await self.served(gate)

        await self.refused(gate, "", "encrypted and no key is set")
        await self.refused(gate, SECOND, "encrypted with another key")

        await self.restarted(gate, f"{SECOND},{FIRST}")
        await gate.up()
        await self.served(gate)
        # Everything was sealed anew at that start.
        await self.restarted(gate, SECOND)
        await gate.up()
        await self.served(gate)
        await self.refused(gate, FIRST, "encrypted with another key")
        for key in (FIRST, SECOND):
            self.assertNotIn(key, gate.log)
        self.assertNotIn("Traceback", gate.log)
        print(f"\n{type(self).__name__}: {reactor.seconds() - began:.1f} s")

    async def test_a_key_for_what_was_clear(self) -> None:
        """A store that was begun without a key is sealed by the first start with one."""
        (gate,) = await self.start(1)
        await self.served(gate)
        self.assertIn("aoa", self.stored())
        await self.restarted(gate, FIRST)
        await gate.up()
        await self.served(gate)
        await gate.stop()
        self.assertNotIn("aoa", self.stored())


class PostgresSealedTests(InPostgres, SealedTests):
    """On one PostgreSQL."""

    def stored(self) -> str:
        """The accounts as they are kept."""
        return repr(self.accounts_kept())

    def accounts_kept(self) -> list[tuple[Any, ...]]:
        """The rows of the accounts."""
        schema = self.variables["KIRO_DB_URL"].rpartition("%3D")[2]
        return server().say(f"SELECT * FROM {schema}.accounts ORDER BY fingerprint")
