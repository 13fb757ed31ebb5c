"""Several processes that open one new SQLite file at the same moment."""

from pathlib import Path
from threading import Barrier, Thread

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.store.database_sqlite import SqliteFile

TOGETHER = 4
TIMES = 15


class TogetherTests(SynchronousTestCase):
    """Threads stand for processes: each has a connection of its own."""

    def test_a_new_file(self) -> None:
        """One makes the tables, all of them open it."""
        wrong: list[Exception] = []
        for _ in range(TIMES):
            place = str(Path(self.mktemp()).absolute())
            start = Barrier(TOGETHER)

            def opened(place: str = place, start: Barrier = start) -> None:
                start.wait()
                try:
                    connection = SqliteFile(place, 10.0, 2**30).open(Logger())
                    connection.close()
                    connection.engine.dispose()
                except Exception as error:  # noqa: BLE001
                    wrong.append(error)

            threads = [Thread(target=opened) for _ in range(TOGETHER)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
