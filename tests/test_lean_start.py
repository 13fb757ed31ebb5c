"""What a start does not load: libraries that only some requests need."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]

# Each costs memory in every process for good, and a start its time.
LATER = (
    "alembic",
    "cryptography.hazmat.primitives.ciphers.aead",
    "docx",
    "jsonschema",
    "kiro2api.emulator",
    "kiro2api.media.reading",
    "kiro2api.web.metrics_families",
    "lxml",
    "openpyxl",
    "PIL",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "pypdf",
    "requests",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
)
NEEDED = ("kiro2api.web.admin.tokens", "sqlalchemy.dialects.sqlite", "klein")

SERVICE = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from kiro2api.service import NO_ACCOUNTS, Gateway
from kiro2api.settings import load

gateway = Gateway(load({}, {"KIRO_DB_PATH": ":memory:"}), reactor, NO_ACCOUNTS)
gateway._starting.wait_for(gateway.database.start(), 30)
gateway._starting.wait_for(Deferred.fromCoroutine(gateway._take_over()), 30)
gateway._starting.wait_for(gateway.database.stop(), 30)
print(*(name for name in sys.argv[1:] if name in sys.modules))
"""


class LeanStartTests(SynchronousTestCase):
    """A whole service, made and with its store read, in a process of its own."""

    def test_nothing_before_it_is_needed(self) -> None:
        """None of the large libraries is there; what is needed would be noticed."""
        done = subprocess.run(
            [sys.executable, "-c", SERVICE, *LATER, *NEEDED],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.stdout.split(), done.stderr), (list(NEEDED), ""))
