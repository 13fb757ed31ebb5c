"""The benchmark works, and its checks can fail. Nothing here looks at a time.

Opens sockets on the loopback interface, unlike most tests: they are what is tested.
"""

import json
import tempfile
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.bench import checks, wire
from tests.bench.__main__ import main
from tests.bench.bodies import large_body
from tests.bench.cases import CASES, TINY, Route, left_open
from tests.bench.load import Load, Tally
from tests.bench.plan import Plan, question, read
from tests.bench.programs import Broken, Program, start_splice, start_upstream
from tests.bench.report import MEASURES, as_json, inside_rows, rows, shown
from tests.bench.session import DIRECT, SERVICE, SPLICE, hold


class RunTests(SynchronousTestCase):
    """A whole run with tiny numbers."""

    def test_everything_is_measured_and_nothing_is_lost(self) -> None:
        """All cases over all routes: a number for each measure, and no defect."""
        outcome = hold(TINY, rounds=1, pin=False)
        self.assertEqual(outcome.defects, [])
        self.assertGreater(outcome.events, outcome.answers)
        seen = {(reading.case, reading.route) for reading in outcome.readings}
        routes = (SERVICE, SPLICE, DIRECT)
        expected = {(case, route) for case in CASES for route in routes} - {("memory", DIRECT)}
        self.assertEqual(seen, expected)
        table = rows(outcome)
        self.assertEqual([row.measure for row in table], [measure.title for measure in MEASURES])
        for row in table:
            self.assertIsNotNone(row.kiro2api, row.measure)
            self.assertIsNotNone(row.yardstick, row.measure)
        self.assertTrue(all(row.kiro2api for row in inside_rows(outcome)))
        text = shown(outcome)
        self.assertIn("no answer was left open", text)
        self.assertEqual(json.loads(json.dumps(as_json(outcome)))["defects"], [])

    def test_words_are_checked(self) -> None:
        """A case that does not exist, and no rounds at all, end with status 2."""
        for words in (["--only", "burst,nothing"], ["--rounds", "0"]):
            with self.assertRaises(SystemExit) as ended:
                main(words)
            self.assertEqual(ended.exception.code, 2)


class BehindTests(SynchronousTestCase):
    """The load generator, the pass-through and the fake upstream, without the service."""

    def setUp(self) -> None:
        ending = ExitStack()
        self.addCleanup(ending.close)
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        self.folder = folder
        upstream = start_upstream(folder, None)
        ending.callback(upstream.stop)
        splice = start_splice(folder, None, upstream.port)
        ending.callback(splice.stop)
        self.route = Route(SPLICE, splice.port, splice.pid, upstream.port)

    def load(self, plan: Plan, count: int) -> Load:
        """A load that expects so many events."""
        check = checks.numbered(count, checks.RAW_END)
        return Load(self.route.port, question(plan, "/", "key"), check)

    def once(self, plan: Plan, count: int) -> Tally:
        """One answer."""
        return self.load(plan, count).run(1, warm=0.0, window=0.0, again=False)

    def test_losses_are_seen(self) -> None:
        """An upstream that loses, repeats or swaps events, and one that sends too few."""
        for plan, count, wrong in (
            (Plan("lossy", 10), 10, "of 10 events 1 are lost, 0 came twice"),
            (Plan("doubled", 10), 10, "of 10 events 0 are lost, 1 came twice"),
            (Plan("swapped", 10), 10, "the 10 events are out of order"),
            (Plan(count=9), 10, "of 10 events 1 are lost, 0 came twice"),
        ):
            tally = self.once(plan, count)
            self.assertEqual((tally.defects, tally.whole), ([wrong], 0))
        self.assertEqual(self.once(Plan(count=10), 10).whole, 1)

    def test_answers_left_open_are_seen(self) -> None:
        """As long as somebody listens an answer is open; afterwards it is not."""
        load = self.load(Plan(count=1000, gap=100_000), 1000)
        load.open(3)
        while load.begun() < 3:
            load.turn(0.1)
        self.assertEqual(left_open(self.route, 0.0), 3)
        self.assertEqual([checks.begun(part) for part in load.leave()], [""] * 3)
        self.assertEqual(left_open(self.route), 0)

    def test_refusals_are_seen(self) -> None:
        """A status other than 200, and a connection that ends before the answer does."""
        (refused,) = self.once(Plan("refused", 5), 5).defects
        self.assertIn("HTTP/1.1 503", refused)
        (cut,) = self.once(Plan("cut", 5), 5).defects
        self.assertIn("cut off after", cut)

    def test_a_program_that_ends_is_told(self) -> None:
        """With what it said last."""
        words = ["/bin/sh", "-c", "echo first >&2; echo last >&2; exit 3"]
        program = Program("broken", words, self.folder, None)
        with self.assertRaisesRegex(Broken, "broken does not start: first | last"):
            program.read_port()


class ChecksTests(SynchronousTestCase):
    """What counts as whole."""

    def test_an_answer_without_its_end(self) -> None:
        """All events are there, the end is not."""
        content = b"".join(wire.marked(number) for number in range(3))
        check = checks.numbered(3, checks.RAW_END)
        self.assertIn("has no end", check(content))
        self.assertEqual(check(content + wire.tail()), "")

    def test_nasty_text_is_compared(self) -> None:
        """One repeated word less is a defect, with its place."""
        texts = [*wire.nasty(0), wire.NASTY_END]

        def chat(texts: list[str]) -> bytes:
            events = [{"choices": [{"delta": {"content": text}}]} for text in texts]
            lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
            return b"".join((*lines, b"data: [DONE]\n\n"))

        check = checks.same_text(0, checks.read_chat)
        self.assertEqual(check(chat(texts)), "")
        del texts[texts.index("ha")]
        self.assertIn("the text differs at", check(chat(texts)))
        self.assertIn("not what a client can read", check(b"data: {}\n\n"))

    def test_nasty_bytes_are_compared(self) -> None:
        """One bit is enough."""
        content = b"".join(wire.nasty_frames(1))
        check = checks.same_bytes(1)
        self.assertEqual(check(content), "")
        self.assertNotEqual(check(content[:-1] + bytes([content[-1] ^ 1])), "")


class WireTests(SynchronousTestCase):
    """What is sent is what it claims to be."""

    def test_nasty_checksums(self) -> None:
        """Each byte that looks like JSON occurs in checksums of messages and of preludes."""
        frames = list(wire.nasty_frames(0))
        for byte in wire.TROUBLE:
            self.assertTrue(any(byte in frame[-4:] for frame in frames))
            self.assertTrue(any(byte in frame[8:12] for frame in frames))

    def test_neighbours_are_equal(self) -> None:
        """Some text comes twice in a row."""
        texts = wire.nasty(0)
        self.assertTrue(any(one == other for one, other in pairwise(texts)))

    def test_chunks(self) -> None:
        """A chunked body in every state of completeness, and nonsense."""
        body = wire.burst(2)
        whole = wire.dechunked(body)
        self.assertEqual(whole, wire.marked(0) + wire.marked(1) + wire.tail())
        for end in range(len(body)):
            self.assertIsNone(wire.dechunked(body[:end]))
        self.assertRaises(ValueError, wire.dechunked, b"1\r\nxx\r\n")

    def test_plans_survive_the_question(self) -> None:
        """What is asked for is what is read."""
        plan = Plan("marked", 7, 2000, 3)
        self.assertEqual(read(question(plan, "/v1/messages", "key")), plan)
        self.assertIsNone(read(b"GET /streams HTTP/1.1\r\n\r\n"))

    def test_large_bodies_have_their_size(self) -> None:
        """Within five percent."""
        for messages, tools, size in ((101, 20, 217_000), (301, 24, 1_050_000)):
            found = len(large_body(messages, tools, size))
            self.assertLess(abs(found - size) / size, 0.05)
