"""The database file: made private, kept safe, refused when it is not ours."""

import os
import sqlite3
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Event
from unittest import SkipTest

from sqlalchemy import Connection, text
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.store import migrate
from kiro2api.store.database import Database, StoreError
from kiro2api.store.schema import PREFERENCES, REVISION
from tests.store.pumped import PATIENCE, PumpedReactor

CANARY = "canary-4711"


def put(key: str, value: str = "v"):
    """Work that writes one preference."""

    def work(connection: Connection) -> None:
        connection.execute(PREFERENCES.insert().values(key=key, value=value))

    return work


def keys(connection: Connection) -> set[str]:
    """Work that reads the keys of all preferences."""
    return set(
        connection.execute(PREFERENCES.select().with_only_columns(PREFERENCES.c.key)).scalars()
    )


def first(statement: str, connection: Connection) -> object:
    """The first value of a statement's first row."""
    return connection.execute(text(statement)).scalar()


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


class DatabaseCase(SynchronousTestCase):
    """A folder of its own, and databases in it."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.path = Path(self.mktemp()).absolute() / "data" / "kiro2api.db"

    def opened(self, path: str | None = None) -> Database:
        """A started database that is stopped after the test."""
        database = Database(str(self.path) if path is None else path, self.reactor)
        self.addCleanup(lambda: self.reactor.result_of(database.stop()))
        self.reactor.result_of(database.start())
        return database

    def make(self, *statements: str) -> bytes:
        """A file made by somebody else; its content."""
        self.path.parent.mkdir(parents=True)
        with sqlite3.connect(self.path) as other:
            for statement in statements:
                other.execute(statement)
        other.close()
        return self.path.read_bytes()

    def refusal(self, busy_seconds: float = 5.0) -> str:
        """The message with which the file is refused."""
        database = Database(str(self.path), self.reactor, busy_seconds=busy_seconds)
        self.addCleanup(lambda: self.reactor.result_of(database.stop()))
        error = self.assertRaises(StoreError, self.reactor.result_of, database.start())
        later = database.run(keys)
        self.assertRaises(StoreError, self.reactor.result_of, later)
        message: str = error.message
        self.assertIn(str(self.path), message)
        self.assertNotIn("\n", message)
        return message


class FileTests(DatabaseCase):
    """Who may read the file."""

    def test_new_file_is_private(self) -> None:
        """Folder 0700, file 0600, whatever the umask, and so are SQLite's own files beside it."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        database = self.opened()
        self.reactor.result_of(database.run(put("a")))
        self.assertEqual(mode(self.path.parent), 0o700)
        files = {path.name: mode(path) for path in self.path.parent.iterdir()}
        self.assertEqual(files.pop("kiro2api.db"), 0o600)
        self.assertEqual(set(files.values()), {0o600})

    def test_open_file_is_closed_to_others(self) -> None:
        """A file of ours that others can read is made private; its folder is left alone."""
        self.path.parent.mkdir(parents=True, mode=0o755)
        self.path.touch(0o644)
        self.opened()
        self.assertEqual((mode(self.path), mode(self.path.parent)), (0o600, 0o755))

    def test_durable_settings(self) -> None:
        """The journal is ahead of the file, each commit is synchronised, foreign keys are on."""
        database = self.opened()
        for pragma, wanted in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}.items():
            found = self.reactor.result_of(database.run(partial(first, f"PRAGMA {pragma}")))
            self.assertEqual(found, wanted)

    def test_no_way_to_the_file(self) -> None:
        """A path that cannot be is refused with advice."""
        self.path.parent.parent.mkdir()
        self.path.parent.write_text("a file where the folder should be")
        self.assertIn("KIRO_DB_PATH", self.refusal())

    def test_path_is_a_folder(self) -> None:
        """So is a folder."""
        self.path.mkdir(parents=True)
        self.assertIn("Is a directory", self.refusal())

    def test_memory(self) -> None:
        """A database that is nowhere on disk."""
        database = self.opened(":memory:")
        self.reactor.result_of(database.run(put("a")))
        self.assertEqual(self.reactor.result_of(database.run(keys)), {"a"})
        self.assertFalse(Path(":memory:").exists())


class RefusalTests(DatabaseCase):
    """Files that are left as they are."""

    def test_not_a_database(self) -> None:
        """Any other file."""
        self.path.parent.mkdir(parents=True)
        content = b"certainly no database, but long enough to have a header of one" * 20
        self.path.write_bytes(content)
        self.assertIn("damaged", self.refusal())
        self.assertEqual(self.path.read_bytes(), content)

    def test_damaged_pages(self) -> None:
        """A database with a good head whose pages are garbage."""
        database = self.opened()
        for number in range(200):
            self.reactor.result_of(database.run(put(f"key-{number}", "v" * 200)))
        self.reactor.result_of(database.stop())
        content = bytearray(self.path.read_bytes())
        half = len(content) // 2
        content[half:] = b"\x5a" * (len(content) - half)
        self.path.write_bytes(content)
        self.assertIn("damaged", self.refusal())
        self.assertEqual(self.path.read_bytes(), bytes(content))

    def test_foreign(self) -> None:
        """A database of another program, not even its mode is touched."""
        content = self.make("CREATE TABLE tokens (id INTEGER)", "INSERT INTO tokens VALUES (1)")
        self.path.chmod(0o644)
        self.assertIn("another program", self.refusal())
        self.assertEqual((self.path.read_bytes(), mode(self.path)), (content, 0o644))

    def test_newer(self) -> None:
        """A database of a newer version, named as such."""
        content = self.make(
            "CREATE TABLE alembic_version (version_num TEXT)",
            "INSERT INTO alembic_version VALUES ('9999')",
        )
        message = self.refusal()
        self.assertIn("'9999'", message)
        self.assertIn("newer version", message)
        self.assertEqual(self.path.read_bytes(), content)

    def test_locked(self) -> None:
        """A database that another program holds is named as locked, not as broken."""
        self.make("CREATE TABLE tokens (id INTEGER)")
        other = sqlite3.connect(self.path)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        self.assertIn("locked", self.refusal(busy_seconds=0.01))

    def test_read_only(self) -> None:
        """A database that cannot be written is refused at the start, not at the first refresh."""
        if os.geteuid() == 0:
            raise SkipTest("nothing is forbidden to root")
        self.make()
        self.path.chmod(0o400)
        self.assertIn("Permission denied", self.refusal())

    def test_large_file_is_not_read_through(self) -> None:
        """Beyond a size only the head is looked at, to start in time."""
        self.reactor.result_of(self.opened().stop())
        trusting = Database(str(self.path), self.reactor, checked_bytes=10)
        self.addCleanup(lambda: self.reactor.result_of(trusting.stop()))
        self.assertIsNone(self.reactor.result_of(trusting.start()))


class MigrationTests(DatabaseCase):
    """Older files, brought up to date."""

    def test_copy_is_kept_first(self) -> None:
        """Before an older file is changed, all of it is copied to a private file."""
        # There is no older revision of ours yet, so one is invented for this test.
        self.make(
            "CREATE TABLE alembic_version (version_num TEXT)",
            "INSERT INTO alembic_version VALUES ('0000')",
            "CREATE TABLE old (word TEXT)",
            "INSERT INTO old VALUES ('kept')",
        )
        migrated = []

        def pretend(connection: Connection) -> None:
            migrated.append(self.path.with_name("kiro2api.db.bak-0000").exists())
            connection.execute(text("DROP TABLE old"))
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{REVISION}'"))

        self.patch(migrate, "_our_revisions", lambda: {"0000", REVISION})
        self.patch(migrate, "migrate", pretend)
        self.opened()
        self.assertEqual(migrated, [True])
        copy = self.path.with_name("kiro2api.db.bak-0000")
        self.assertEqual(mode(copy), 0o600)
        with sqlite3.connect(copy) as kept:
            self.assertEqual(kept.execute("SELECT word FROM old").fetchall(), [("kept",)])
        kept.close()
        self.assertFalse(copy.with_name(copy.name + ".part").exists())

    def test_failed_migration_changes_nothing(self) -> None:
        """A migration is all or nothing, changes of the schema included."""
        content = self.make(
            "CREATE TABLE alembic_version (version_num TEXT)",
            "INSERT INTO alembic_version VALUES ('0000')",
        )

        def broken(connection: Connection) -> None:
            connection.execute(text("CREATE TABLE half (id INTEGER)"))
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))

        self.patch(migrate, "_our_revisions", lambda: {"0000", REVISION})
        self.patch(migrate, "migrate", broken)
        database = Database(str(self.path), self.reactor)
        self.addCleanup(lambda: self.reactor.result_of(database.stop()))
        self.assertRaises(StoreError, self.reactor.result_of, database.start())
        with sqlite3.connect(self.path) as after:
            names = after.execute("SELECT name FROM sqlite_master").fetchall()
        after.close()
        self.assertEqual(names, [("alembic_version",)])
        self.assertEqual(len(content), self.path.stat().st_size)

    def test_no_copy_without_a_migration(self) -> None:
        """A new file and a current one leave no copies behind."""
        self.reactor.result_of(self.opened().stop())
        self.opened()
        self.assertEqual([path for path in self.path.parent.iterdir() if "bak" in path.name], [])

    def test_normal_start_imports_little(self) -> None:
        """Alembic costs time and memory: only a start that migrates imports it, and neither the
        first one nor a normal one does. A file needs no driver of a server and no cryptography."""
        script = (
            "import sys\n"
            "from tests.store.pumped import PumpedReactor\n"
            "from kiro2api.store.database import Database\n"
            "reactor = PumpedReactor()\n"
            "database = Database(sys.argv[1], reactor)\n"
            "reactor.result_of(database.start())\n"
            "reactor.result_of(database.stop())\n"
            "unwanted = {'alembic', 'sqlalchemy.orm', 'twisted.internet.reactor', 'psycopg',\n"
            "    'cryptography', 'kiro2api.store.database_postgres'}\n"
            "print('started', *sorted(unwanted & set(sys.modules)))\n"
        )
        root = Path(__file__).parent.parent.parent
        printed = [
            subprocess.run(
                [sys.executable, "-c", script, str(self.path)],
                cwd=root,
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            ).stdout.split()
            for _ in range(2)
        ]
        self.assertEqual(printed, [["started"]] * 2)


class TransactionTests(DatabaseCase):
    """Work inside transactions."""

    def test_failure_rolls_back(self) -> None:
        """What fails leaves nothing, and the next work is not affected."""
        database = self.opened()

        def half(connection: Connection) -> None:
            put("half")(connection)
            raise LookupError("midway")

        self.assertRaises(LookupError, self.reactor.result_of, database.run(half))
        self.reactor.result_of(database.run(put("whole")))
        self.assertEqual(self.reactor.result_of(database.run(keys)), {"whole"})

    def test_cancelled_write_is_whole(self) -> None:
        """A caller that leaves in the middle of a transaction cannot halve it."""
        database = self.opened()
        begun, gate = Event(), Event()

        def slow(connection: Connection) -> None:
            put("one")(connection)
            begun.set()
            gate.wait(PATIENCE)
            put("two")(connection)

        running, queued = database.run(slow), database.run(put("three"))
        self.assertTrue(begun.wait(PATIENCE))
        running.cancel()
        queued.cancel()
        gate.set()
        self.failureResultOf(running, CancelledError)
        self.failureResultOf(queued, CancelledError)
        self.assertEqual(self.reactor.result_of(database.run(keys)), {"one", "two", "three"})

    def test_many_at_once(self) -> None:
        """Concurrent writers of one process never lock each other out."""
        database = self.opened()
        waiting = [database.run(put(f"k{number}")) for number in range(40)]
        for one in waiting:
            self.reactor.result_of(one)
        self.assertEqual(len(self.reactor.result_of(database.run(keys))), 40)

    def test_two_processes(self) -> None:
        """Two databases on one file see each other's work."""
        first, second = self.opened(), self.opened()
        self.reactor.result_of(first.run(put("a")))
        self.reactor.result_of(second.run(put("b")))
        self.assertEqual(self.reactor.result_of(first.run(keys)), {"a", "b"})

    def test_errors_hold_no_values(self) -> None:
        """What SQLite complains about is told without what was to be written."""
        database = self.opened()
        self.reactor.result_of(database.run(put(CANARY, CANARY)))
        for work in (
            put(CANARY, CANARY),
            lambda c: c.execute(text("SELECT :v FROM nowhere"), {"v": CANARY}) and None,
        ):
            outcome: list[object] = []
            again = database.run(work).addErrback(outcome.append)
            self.reactor.result_of(again)
            (failure,) = outcome
            self.assertIs(failure.type, StoreError)  # type: ignore[attr-defined]
            self.assertNotIn(CANARY, failure.getTraceback())  # type: ignore[attr-defined]
            self.assertIn("the database failed: SQLITE_", failure.getErrorMessage())  # type: ignore[attr-defined]

    def test_write_protected(self) -> None:
        """A disk that becomes read-only is named as such."""
        database = self.opened()

        def protect(connection: Connection) -> None:
            connection.execute(text("PRAGMA query_only = ON"))

        self.reactor.result_of(database.run(protect))
        error = self.assertRaises(StoreError, self.reactor.result_of, database.run(put("a")))
        self.assertIn("cannot write", error.message)

    def test_disk_full(self) -> None:
        """A full disk is named, loses only the failed work, and is survived."""
        database = self.opened()

        def shrink(connection: Connection) -> None:
            connection.execute(text("PRAGMA max_page_count = 1"))

        self.reactor.result_of(database.run(put("a")))
        self.reactor.result_of(database.run(shrink))
        big = database.run(put("big", "v" * 100_000))
        error = self.assertRaises(StoreError, self.reactor.result_of, big)
        self.assertIn("no space is left", error.message)
        self.assertEqual(self.reactor.result_of(database.run(keys)), {"a"})


class LifeTests(DatabaseCase):
    """Start and stop."""

    def test_work_before_start_fires(self) -> None:
        """Work may be handed over while the file is still being opened."""
        database = Database(str(self.path), self.reactor)
        self.addCleanup(lambda: self.reactor.result_of(database.stop()))
        started, found = database.start(), database.run(keys)
        self.assertEqual(self.reactor.result_of(found), set())
        self.assertIsNone(self.reactor.result_of(started))

    def test_stop_waits_and_closes(self) -> None:
        """Work handed over before the stop is done; afterwards the journal is folded in."""
        database = self.opened()
        self.assertTrue(database.alive)
        for number in range(20):
            database.run(put(f"k{number}"))
        stopped = database.stop()
        self.assertFalse(database.alive)
        self.reactor.result_of(stopped)
        self.reactor.result_of(database.stop())
        self.assertEqual([path.name for path in self.path.parent.iterdir()], ["kiro2api.db"])
        with sqlite3.connect(self.path) as after:
            self.assertEqual(after.execute("SELECT count(*) FROM preferences").fetchone(), (20,))
        after.close()
        self.failureResultOf(database.run(keys), StoreError)
        self.successResultOf(database.stop())

    def test_never_started(self) -> None:
        """A database that was never started can be stopped and refuses work."""
        database = Database(str(self.path), self.reactor)
        self.failureResultOf(database.run(keys), StoreError)
        self.assertFalse(database.alive)
        self.successResultOf(database.stop())
        self.assertFalse(self.path.exists())
