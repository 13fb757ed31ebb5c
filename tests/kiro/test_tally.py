"""Tests of usage and stop reasons."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import StopReason, Usage
from kiro2api.conversation.tokens import estimate_counts
from kiro2api.kiro.payloads import Metadata, TokenUsage
from kiro2api.kiro.tally import Tally


class UsageTests(SynchronousTestCase):
    """The best source there is."""

    def test_estimated(self) -> None:
        """Without any word of the upstream both numbers are ours."""
        tally = Tally()
        tally.put_out("hello")
        tally.put_out("grüße")
        self.assertEqual(
            tally.usage(1000, 77),
            Usage(input_tokens=77, output_tokens=estimate_counts(10, 12)),
        )

    def test_derived(self) -> None:
        """The percentage covers question and answer."""
        tally = Tally()
        tally.put_out("word " * 100)
        tally.filled(50.0)
        tally.cost(0.25)
        output = estimate_counts(500, 500)
        self.assertEqual(
            tally.usage(200_000, 77),
            Usage(100_000 - output, output, 0, 0, 0.25, 50.0, "derived"),
        )
        self.assertEqual(tally.usage(10, 77).input_tokens, 0)

    def test_percentage_that_says_nothing(self) -> None:
        """Zero percent, or of an unknown window, is no information."""
        tally = Tally()
        tally.filled(0.0)
        self.assertEqual(tally.usage(1000, 77).provenance, "estimated")
        tally.filled(5.0)
        usage = tally.usage(0, 77)
        self.assertEqual((usage.provenance, usage.input_tokens), ("estimated", 77))
        self.assertEqual(usage.context_percent, 5.0)

    def test_exact(self) -> None:
        """The upstream's own counts stand above all; the last ones count."""
        tally = Tally()
        tally.put_out("x" * 1000)
        tally.filled(50.0)
        tally.summed_up(Metadata(token_usage=TokenUsage(uncached=1, output=1)))
        tally.summed_up(Metadata(token_usage=TokenUsage(101.0, 23.0, 300.0, 40.0)))
        tally.summed_up(Metadata(stop_reason="end_turn"))
        self.assertEqual(
            tally.usage(1000, 77),
            Usage(101, 23, 300, 40, 0.0, 50.0, "exact"),
        )

    def test_exact_with_its_own_percentage(self) -> None:
        """Token counts may bring the percentage with them; nothing is negative."""
        tally = Tally()
        tally.summed_up(Metadata(token_usage=TokenUsage(-1, 2, percent=3.5)))
        self.assertEqual(tally.usage(1000, 77), Usage(0, 2, 0, 0, 0.0, 3.5, "exact"))

    def test_incomplete_counts(self) -> None:
        """Half a count is none."""
        for tokens in (TokenUsage(uncached=5), TokenUsage(output=5)):
            tally = Tally()
            tally.summed_up(Metadata(token_usage=tokens))
            self.assertEqual(tally.usage(1000, 77).provenance, "estimated")


class ReasonTests(SynchronousTestCase):
    """Why an answer ended."""

    def test_told(self) -> None:
        """Spellings of the upstream, and what is unknown among them."""
        cases = {
            "end_turn": StopReason.END_TURN,
            "END_TURN": StopReason.END_TURN,
            "max_tokens": StopReason.MAX_TOKENS,
            "maxTokens": StopReason.MAX_TOKENS,
            "stop_sequence": StopReason.STOP_SEQUENCE,
            "refusal": StopReason.REFUSAL,
            "content_filtered": StopReason.REFUSAL,
            "guardrail-intervened": StopReason.REFUSAL,
            "model_context_window_exceeded": StopReason.CONTEXT_WINDOW,
            "pause_turn": StopReason.END_TURN,
        }
        for spelled, reason in cases.items():
            tally = Tally()
            tally.summed_up(Metadata(stop_reason=spelled))
            self.assertIs(tally.reason(tools_called=False), reason, spelled)

    def test_tool_use_means_a_call(self) -> None:
        """TOOL_USE is said exactly when there is a call, unless the answer was cut."""
        for spelled in ("end_turn", "tool_use", "pause_turn", None):
            tally = Tally()
            tally.summed_up(Metadata(stop_reason=spelled))
            self.assertIs(tally.reason(tools_called=True), StopReason.TOOL_USE)
            self.assertIs(tally.reason(tools_called=False), StopReason.END_TURN)
        tally.summed_up(Metadata(stop_reason="max_tokens"))
        self.assertIs(tally.reason(tools_called=True), StopReason.MAX_TOKENS)

    def test_full_window(self) -> None:
        """A full window is the reason, unless there is a better one."""
        tally = Tally()
        tally.filled(99.9)
        self.assertIs(tally.reason(tools_called=False), StopReason.END_TURN)
        tally.filled(100.0)
        self.assertIs(tally.reason(tools_called=False), StopReason.CONTEXT_WINDOW)
        self.assertIs(tally.reason(tools_called=True), StopReason.TOOL_USE)
        tally.summed_up(Metadata(stop_reason="end_turn"))
        self.assertIs(tally.reason(tools_called=False), StopReason.END_TURN)

    def test_signs_of_completion(self) -> None:
        """Each of three signs; one of them is the last event."""
        for tell in (
            lambda tally: tally.filled(1.0),
            lambda tally: tally.cost(1.0),
            lambda tally: tally.summed_up(Metadata()),
        ):
            tally = Tally()
            self.assertFalse(tally.complete)
            tell(tally)
            self.assertTrue(tally.complete)
        self.assertFalse(tally.metered)
        tally.cost(0.0)
        self.assertTrue(tally.metered)
