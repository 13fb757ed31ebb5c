"""The invariants of the design, and which tests hold each of them.

An index: whoever renames or removes a test that an invariant rests on is told so here.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.live.reactor import ReactorCase

ROOT = Path(__file__).resolve().parents[1]

INVARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "I1": (
        "A lease is settled exactly once, whatever happens.",
        (
            "tests.accounts.test_pool.LoanPropertyTests.test_no_loan_leaks",
            "tests.accounts.test_pool.SettleTests.test_once",
            "tests.test_exchange.ExchangesTests.test_client_leaves_before_the_first_event",
            "tests.web.test_serving.StreamedAnswerTests.test_client_leaves_in_every_phase",
            "tests.live.test_leaving.LeavingTests",
        ),
    ),
    "I2": (
        "After the first byte to the client there is no second attempt upstream.",
        (
            "tests.test_exchange.ExchangesTests.test_no_second_attempt_after_the_first_byte",
            "tests.live.test_upstream.ConnectionTests.test_no_second_attempt_after_the_first_byte",
        ),
    ),
    "I3": (
        "Producers are registered and unregistered in pairs, never without a channel.",
        (
            "tests.web.test_relay.StreamRelayTests.test_client_leaves_transport_first",
            "tests.web.test_relay.StreamRelayTests.test_client_leaves_coroutine_first",
            "tests.web.test_serving.StreamedAnswerTests.test_client_leaves_in_every_phase",
        ),
    ),
    "I4": (
        "Memory per stream is bounded: what is held, one read, one buffer, one frame.",
        (
            "tests.live.test_backpressure.BackpressureTests.test_upstream_stops",
            "tests.upstream.test_stream.HoldingTests",
            "tests.upstream.test_stream_flow.PauseTests",
            "tests.wire.test_eventstream.SplitTests",
        ),
    ),
    "I5": (
        "Every response of the upstream is flowed, read with a bound, or discarded.",
        (
            "tests.upstream.test_bodies.DiscardTests",
            "tests.upstream.test_bodies.ReadBoundedTests",
            "tests.upstream.test_client.RefusalTests",
            "tests.live.test_upstream.ConnectionTests.test_refusals_keep_their_connection",
        ),
    ),
    "I6": (
        "Pure layers are deterministic: however bytes are split, the same events, the same bytes.",
        (
            "tests.wire.test_eventstream.SplitTests",
            "tests.wire.test_sse.DecoderTests.test_every_split",
            "tests.kiro.test_interpret.BatchTests.test_any_grouping",
            "tests.upstream.test_stream_splits.SplitTests",
            "tests.test_exchange_parity.ParityTests",
            "tests.test_doors.DoorsTests.test_pure_rooms_touch_nothing_impure",
        ),
    ),
    "I7": (
        "What clients are streamed is well-formed, also when it fails in any state.",
        (
            "tests.dialects.anthropic.test_answer.PropertyTests",
            "tests.dialects.chat.test_answer.AnyEventsTests",
            "tests.dialects.chat.test_answer.StateTests.test_fail_in_every_state",
        ),
    ),
    "I8": (
        "No secret appears in a log line, an error body or a repr.",
        (
            "tests.test_secrets.SecretsTests.test_success",
            "tests.test_secrets.SecretsTests.test_faults_of_the_upstream",
            "tests.test_secrets.SecretsTests.test_faults_of_the_login",
            "tests.test_secrets.SecretsTests.test_faults_of_the_client",
            "tests.test_secrets.SecretsTests.test_operators_pages",
            "tests.test_secrets.SecretsTests.test_objects",
        ),
    ),
    "I9": (
        "At most one refresh per account; leaving it does not cancel it; stored before used.",
        (
            "tests.accounts.test_refresh.SingleFlightTests",
            "tests.accounts.test_refresh.CancelTests",
            "tests.accounts.test_refresh.StoreFirstTests",
            "tests.accounts.test_refresh.BrokenStoreTests",
            "tests.test_service.KillTests.test_killed_right_after_a_refresh",
        ),
    ),
    "I10": (
        "No timer outlives its owner.",
        (
            # These end every test by looking for delayed calls.
            "tests.live.case.LiveCase",
            "tests.upstream.streaming.StreamTestCase",
            "tests.upstream.test_client.ClientTestCase",
            # That the first of them does.
            "tests.live.test_reactor.GuardTests",
        ),
    ),
    "I11": (
        "After its client has left, a request writes nothing and asks nothing more.",
        (
            "tests.web.test_serving.WholeAnswerTests.test_client_leaves",
            "tests.web.test_serving.StreamedAnswerTests.test_client_leaves_in_every_phase",
            "tests.test_exchange.ExchangesTests.test_client_leaves_before_the_head",
        ),
    ),
    "I12": (
        "Texts of the upstream never become a format string, a header or a path.",
        (
            "tests.live.test_hostile.HostileTests",
            "tests.test_logs.TextTests.test_any_text_is_one_printable_line",
        ),
    ),
    "I13": (
        "A stop delivers every answer whole or visibly cut.",
        (
            "tests.live.test_draining.DrainingTests.test_running_answers_are_delivered",
            "tests.live.test_draining.DrainingTests.test_deadline",
            "tests.web.test_site.DrainTests",
        ),
    ),
    "I14": (
        "Importing installs no reactor, except where Klein does.",
        (
            "tests.test_invariants.ReactorTests.test_imports",
            "tests.test_doors.DoorsTests.test_only_taps_import_the_reactor",
        ),
    ),
    "I15": (
        "The policy that chooses accounts keeps its promise.",
        (
            "tests.accounts.test_ledger.PromiseTests.test_first_usable_in_order",
            "tests.accounts.test_ledger.ChooseTests",
        ),
    ),
}

KLEIN = ("kiro2api.web", "kiro2api.emulator.app", "kiro2api.emulator.service")
"""Modules that may import Klein, and with it the reactor."""


def found(name: str) -> object:
    """The module, class or test of this dotted name; raises if there is none."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            thing = getattr(thing, part)
        return thing
    raise AssertionError(f"there is no {name}")


class IndexTests(SynchronousTestCase):
    """The index is complete and true."""

    def test_numbers(self) -> None:
        """Fifteen invariants, none without a test."""
        self.assertEqual(list(INVARIANTS), [f"I{number}" for number in range(1, 16)])
        for meaning, tests in INVARIANTS.values():
            self.assertTrue(meaning and tests)

    def test_tests_exist(self) -> None:
        """Every test that is named can be imported, and has tests in it."""
        missing = []
        for number, (_, names) in INVARIANTS.items():
            for name in names:
                try:
                    thing = found(name)
                except AttributeError:
                    missing.append(f"{number}: {name}")
                    continue
                runs = callable(thing) and (
                    name.rpartition(".")[2].startswith("test_")
                    or issubclass(thing, (SynchronousTestCase, ReactorCase))  # type: ignore[arg-type]
                )
                self.assertTrue(runs, name)
        self.assertEqual(missing, [])

    def test_a_name_that_does_not_exist(self) -> None:
        """The index would notice."""
        self.assertRaises(AttributeError, found, "tests.test_invariants.NoTests.test_nothing")
        self.assertRaises(AssertionError, found, "nowhere.at.all")


class ReactorTests(SynchronousTestCase):
    """I14, in a process that has no reactor yet."""

    def modules(self) -> list[str]:
        """Every module of ours that must not install one."""
        names = []
        for path in sorted((ROOT / "kiro2api").rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if "migrations" not in path.parts and not name.startswith(KLEIN):
                names.append(name.removesuffix(".__init__"))
        return names

    def imported(self, names: list[str]) -> str:
        """Which of these modules brought a reactor in, the first one only."""
        code = (
            "import importlib, sys\n"
            "for name in sys.argv[1:]:\n"
            "    importlib.import_module(name)\n"
            "    if 'twisted.internet.reactor' in sys.modules:\n"
            "        print(name); break\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *names],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def test_imports(self) -> None:
        """None of them does; Klein's own would be noticed."""
        names = self.modules()
        self.assertGreater(len(names), 80)
        self.assertEqual(self.imported(names), "")
        self.assertEqual(self.imported(["kiro2api.web.model_api"]), "kiro2api.web.model_api")
