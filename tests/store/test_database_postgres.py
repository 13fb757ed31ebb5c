"""PostgreSQL: reached, migrated, lost and reached again, without a word about the password."""

import subprocess
import sys
from pathlib import Path
from threading import Event

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from kiro2api.store import migrate
from kiro2api.store.changes import ChangeRows, note
from kiro2api.store.database import Database, StoreError, is_server
from kiro2api.store.preferences import PreferenceRows
from kiro2api.store.schema import REVISION
from tests.store.case import InPostgres, StoreCase
from tests.store.postgres import PASSWORD, Server, required, server
from tests.store.pumped import PATIENCE

CANARY = "canary-4711"
ENDED = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE application_name = 'kiro2api'"
)


class ServerCase(InPostgres, StoreCase):
    """One database on the server."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = PreferenceRows(self.database, self.clock)

    def refusal(self, place: str) -> str:
        """Why that is not used."""
        database = Database(place, self.reactor)
        self.addCleanup(lambda: self.done(database.stop()))
        error = self.assertRaises(StoreError, self.done, database.start())
        self.assertFalse(database.alive)
        return self.clean(error)

    def clean(self, error: Exception) -> str:
        """Its text, which is one line and names no password."""
        message = str(error)
        for hidden in (PASSWORD, "canary", "wrong-pass", "\n"):
            self.assertNotIn(hidden, message)
        return message


class ReachingTests(ServerCase):
    """Addresses that lead nowhere."""

    def test_which_is_a_server(self) -> None:
        """An address is told from a path."""
        for place in (self.place, "postgresql://h/d", "postgres://h/d"):
            self.assertTrue(is_server(place))
        for place in (":memory:", "./data/kiro2api.db", "/postgresql"):
            self.assertFalse(is_server(place))

    def test_place(self) -> None:
        """It is shown without the password, and without what else the address says."""
        self.assertEqual(self.database.place, f"postgresql://kiro@{server().folder}/postgres")
        shown = Database("postgres://u:p@h:5433/d?password=x", self.reactor).place
        self.assertEqual(shown, "postgresql://u@h:5433/d")

    def test_other_spellings(self) -> None:
        """The address may be as other programs write it."""
        for scheme in ("postgres", "postgresql"):
            database = Database(self.place.replace("postgresql+psycopg", scheme), self.reactor)
            self.done(database.start())
            self.done(database.stop())

    def test_refused(self) -> None:
        """Each with its own advice."""
        folder = str(server().folder)
        for place, said in {
            self.place.replace(PASSWORD, "wrong-pass"): "password",
            self.place.replace("/postgres?", "/nowhere?"): "no such database",
            self.place.replace("kiro:", "nobody:"): "KIRO_DB_URL",
            self.place.replace(folder, "/tmp/there-is-no-such-folder"): "cannot be reached",
            "postgresql+psycopg://u:canary@": "percent-encoded",
            "postgresql+psycopg://u:canary@h:port/d": "percent-encoded",
        }.items():
            self.assertIn(said, self.refusal(place))

    def test_traceback(self) -> None:
        """Not even the whole story of a failure holds the password."""
        database = Database(self.place.replace(PASSWORD, "wrong-pass"), self.reactor)
        self.addCleanup(lambda: self.done(database.stop()))
        failures: list[Failure] = []
        self.done(database.start().addErrback(failures.append))
        told = failures[0].getTraceback() + repr(failures[0].value.__dict__)
        self.assertIn("StoreError", told)
        self.assertNotIn("wrong-pass", told)

    def test_weak_user(self) -> None:
        """A user who may not make tables is told so."""
        server().say("CREATE ROLE weak LOGIN PASSWORD 'canary-weak'")
        self.addCleanup(lambda: server().say("DROP ROLE weak"))
        place = server().address().replace(f"kiro:{PASSWORD}", "weak:canary-weak")
        self.assertIn("must own the tables", self.refusal(place))

    def test_without_the_driver(self) -> None:
        """Whoever did not install the extra is told its name."""
        script = (
            "import sys\n"
            "sys.modules['psycopg'] = None\n"
            "from tests.store.pumped import PumpedReactor\n"
            "from kiro2api.store.database import Database, StoreError\n"
            "reactor = PumpedReactor()\n"
            "database = Database('postgresql+psycopg://u:p@h/d', reactor)\n"
            "try:\n"
            "    reactor.result_of(database.start())\n"
            "except StoreError as error:\n"
            "    print(error)\n"
        )
        root = Path(__file__).parent.parent.parent
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
        )
        self.assertIn("pip install 'kiro2api[postgres]'", done.stdout)


class SchemaInPostgresTests(ServerCase):
    """What is found there."""

    def say(self, *statements: str) -> None:
        """Change the schema from outside."""
        schema = self.place.rpartition("%3D")[2]
        server().say(f"SET search_path = {schema}", *statements)

    def test_foreign(self) -> None:
        """Tables of another program are left alone."""
        self.say("DROP TABLE alembic_version")
        self.assertIn("another program", self.refusal(self.place))

    def test_newer(self) -> None:
        """So are those of a newer version."""
        self.say("UPDATE alembic_version SET version_num = '9999'")
        self.assertIn("'9999'", self.refusal(self.place))
        self.say(f"UPDATE alembic_version SET version_num = '{REVISION}'")
        self.opened()

    def test_two_starts_at_once(self) -> None:
        """Of two processes that find it empty, one makes the schema and the other waits."""
        for _ in range(3):
            self.place = self.new_place()
            both = [Database(self.place, self.reactor) for _ in range(2)]
            starting = [database.start() for database in both]
            for database, started in zip(both, starting, strict=True):
                self.done(started)
                self.assertEqual(self.done(database.run(migrate.revision_of)), REVISION)
                self.done(database.stop())


class LossTests(ServerCase):
    """The server goes away."""

    def test_lost_while_idle(self) -> None:
        """A connection that ended between two calls is made anew unnoticed."""
        self.done(self.rows.put("a", "1"))
        server().say(ENDED)
        self.done(self.rows.put("b", "2"))
        self.assertEqual(self.done(self.rows.load()), {"a": "1", "b": "2"})
        self.assertTrue(self.database.alive)

    def test_lost_in_the_middle(self) -> None:
        """The running call fails and leaves nothing; the next one connects."""
        begun, go_on = Event(), Event()

        def slow(connection: Connection) -> None:
            self.rows.put_in(connection, "half", "1")
            begun.set()
            go_on.wait(PATIENCE)
            self.rows.put_in(connection, "other", "2")

        running = self.database.run(slow)
        self.assertTrue(begun.wait(PATIENCE))
        server().say(ENDED)
        go_on.set()
        error = self.assertRaises(StoreError, self.done, running)
        self.assertIn("was lost", self.clean(error))
        self.assertFalse(self.database.alive)
        self.assertEqual(self.done(self.rows.load()), {})
        self.assertTrue(self.database.alive)

    def test_restart(self) -> None:
        """While the server is down calls fail, soon and in one line; then all is as before."""
        own = Server(required())
        self.addCleanup(own.forget)
        own.start()
        seconds = [0.0]
        database = Database(own.address(), self.reactor, monotonic=lambda: seconds[0])
        self.addCleanup(lambda: self.done(database.stop()))
        self.done(database.start())
        rows = PreferenceRows(database)
        self.done(rows.put("a", "1"))
        own.stop()
        messages = {
            self.clean(self.assertRaises(StoreError, self.done, rows.load())) for _ in range(3)
        }
        self.assertEqual(len(messages), 1)
        self.assertIn("cannot be reached", messages.pop())
        self.assertFalse(database.alive)
        own.start()
        self.assertRaises(StoreError, self.done, rows.load())
        seconds[0] += 1.0
        self.assertEqual(self.done(rows.load()), {"a": "1"})
        self.assertTrue(database.alive)


class WorkInPostgresTests(ServerCase):
    """Transactions there."""

    def test_statement_limit(self) -> None:
        """A statement that takes too long fails alone."""
        database = Database(self.place, self.reactor, statement_seconds=0.05)
        self.addCleanup(lambda: self.done(database.stop()))
        self.done(database.start())

        def slow(connection: Connection) -> None:
            connection.execute(text("SELECT pg_sleep(20)"))

        error = self.assertRaises(StoreError, self.done, database.run(slow))
        self.assertIn("took too long", self.clean(error))
        self.assertTrue(database.alive)
        self.assertEqual(self.done(PreferenceRows(database).load()), {})

    def test_errors_hold_no_values(self) -> None:
        """What the server complains about is told without what was to be written."""

        def twice(connection: Connection) -> None:
            for _ in range(2):
                connection.execute(text("INSERT INTO preferences VALUES (:k, :k)"), {"k": CANARY})

        error = self.assertRaises(StoreError, self.within, twice)
        self.assertEqual(self.clean(error), "the database failed: 23505")
        self.assertIsNone(error.__cause__)
        self.assertTrue(error.__suppress_context__)

    def test_failure_rolls_back(self) -> None:
        """What fails leaves nothing."""

        def half(connection: Connection) -> None:
            self.rows.put_in(connection, "half", "1")
            raise LookupError

        self.assertRaises(LookupError, self.within, half)
        self.assertEqual(self.done(self.rows.load()), {})

    def test_swallowed_failure(self) -> None:
        """Work that overlooks a failed statement is not taken for done."""

        def overlooks(connection: Connection) -> None:
            self.rows.put_in(connection, "a", "1")
            try:
                connection.execute(text("INSERT INTO preferences VALUES ('a', '2')"))
            except IntegrityError:
                pass

        error = self.assertRaises(StoreError, self.within, overlooks)
        self.assertIn("nothing was changed", self.clean(error))
        self.assertEqual(self.done(self.rows.load()), {})

    def test_cancelled_write_is_whole(self) -> None:
        """A caller that leaves in the middle of a transaction cannot halve it."""
        begun, go_on = Event(), Event()

        def slow(connection: Connection) -> None:
            self.rows.put_in(connection, "one", "1")
            begun.set()
            go_on.wait(PATIENCE)
            self.rows.put_in(connection, "two", "2")

        running = self.database.run(slow)
        self.assertTrue(begun.wait(PATIENCE))
        running.cancel()
        go_on.set()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(self.done(self.rows.load()), {"one": "1", "two": "2"})

    def test_writers_that_block_each_other(self) -> None:
        """Of two that wait for each other one gives up, in one line, and may try again."""
        other = self.opened()
        for key in "ab":
            self.done(self.rows.put(key, "0"))
        held = {"first": Event(), "second": Event()}

        def crossed(mine: str, theirs: str, one: str, two: str):
            def work(connection: Connection) -> None:
                lock = text("UPDATE preferences SET value = '1' WHERE key = :key")
                connection.execute(lock, {"key": one})
                held[mine].set()
                held[theirs].wait(PATIENCE)
                connection.execute(lock, {"key": two})

            return work

        both = [
            self.database.run(crossed("first", "second", "a", "b")),
            other.run(crossed("second", "first", "b", "a")),
        ]
        outcomes: list[object] = []
        for one in both:
            one.addErrback(lambda failure: failure.value)
            outcomes.append(self.done(one))
        (error,) = [one for one in outcomes if one is not None]
        assert isinstance(error, StoreError)
        self.assertIn("two writers met", self.clean(error))
        self.assertEqual(self.done(self.rows.load()), {"a": "1", "b": "1"})

    def test_idle_in_a_transaction(self) -> None:
        """Whoever hangs in the middle of one is cut off by the server, with all its locks."""
        shown = self.first("SHOW idle_in_transaction_session_timeout")
        self.assertEqual(shown, "1min")
        self.assertEqual(self.first("SHOW statement_timeout"), "30s")

    def test_notes_last(self) -> None:
        """A note inside a transaction that is rolled back holds nobody up afterwards."""

        def fails(connection: Connection) -> None:
            note(connection, "key", "a", 0.0)
            raise LookupError

        self.assertRaises(LookupError, self.within, fails)
        other = self.opened()
        self.done(other.run(lambda connection: note(connection, "key", "b", 0.0)))
        self.assertEqual(len(self.done(ChangeRows(other).since(0))[1]), 1)
