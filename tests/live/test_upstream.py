"""The connections to the upstream: reused, replaced when stale, trusted only for good reason."""

import os
from pathlib import Path

from twisted.internet.interfaces import IOpenSSLContextFactory

from kiro2api.emulator.script import Script
from tests.live.case import KEYED, LiveCase
from tests.live.certificates import Authority
from tests.live.client import Caller


class ConnectionTests(LiveCase):
    """How many connections there are, and what happens on them."""

    async def asked(self, caller: Caller, text: str = "Hello.", *, stream: bool = True) -> None:
        """One more question and its whole answer, on the same connection."""
        done = len(caller.answers())
        caller.ask(text, stream=stream)
        await caller.whole(done + 1)

    async def test_kept_and_reused(self) -> None:
        """Questions one after the other, whole and streamed, go through one connection."""
        await self.start()
        caller = await self.call()
        for number in range(6):
            await self.asked(caller, f"Question {number}.", stream=number % 2 == 0)
        self.assertEqual([answer.status for answer in caller.answers()], [200] * 6)
        (channel,) = self.upstream.carrying()
        self.assertEqual(len(channel.asked), 6)

    async def test_as_many_as_there_are_answers(self) -> None:
        """Answers at the same time have a connection each; afterwards these are used again."""
        await self.start()
        callers = [await self.call() for _ in range(8)]
        for _ in range(2):
            self.emulator.script(Script(text="", events=10, interval=0.01, times=8))
            done = len(callers[0].answers())
            for caller in callers:
                caller.ask()
            for caller in callers:
                await caller.whole(done + 1)
        self.assertEqual(len(self.upstream.carrying()), 8)
        self.assertEqual({len(c.asked) for c in self.upstream.carrying()}, {2})

    async def test_refusals_keep_their_connection(self) -> None:
        """A refused question is read to its end, so that the connection stays of use."""
        await self.start()
        caller = await self.call()
        self.emulator.script(Script(status=400, error="ValidationException", message="No."))
        await self.asked(caller)
        await self.asked(caller)
        self.assertEqual([answer.status for answer in caller.answers()], [400, 200])
        self.assertEqual(len(self.upstream.carrying()), 1)

    async def test_stale_connection(self) -> None:
        """A kept connection that is closed just when it is used again costs the client nothing:
        one more attempt, on a fresh connection, with the same account."""
        await self.start()
        caller = await self.call()
        await self.asked(caller)
        self.upstream.grows_stale = True
        await self.asked(caller)
        self.assertEqual([answer.status for answer in caller.answers()], [200, 200])
        first, second = self.upstream.carrying()
        self.assertEqual((len(first.asked), len(second.asked)), (2, 1))
        self.assertEqual(len(self.generations()), 2)
        self.assertEqual(self.gateway.parts.meter.recent[-1].attempts, 1)

    async def test_failover(self) -> None:
        """A throttled account, one that fails in its first frame, then a good one: the client
        sees one good answer, and the next question goes to the good account at once."""
        third = KEYED[1].__class__(name="third", method="api_key", api_key="ksk_third_account")
        await self.start((*KEYED, third))
        self.emulator.script(
            Script(account="first", status=429, error="ThrottlingException", retry_after="60"),
            Script(account="second", exception_at=0, exception="InternalServerException"),
        )
        caller = await self.call()
        await self.asked(caller)
        await self.asked(caller)
        self.assertEqual([answer.status for answer in caller.answers()], [200, 200])
        self.assertEqual(caller.answer().body.count(b"event: message_start"), 1)
        asked = [call.account for call in self.generations()]
        self.assertEqual(asked, ["first", "second", "third", "third"])
        standing = {s.name: s.state for s in self.gateway.parts.pool.snapshot(0.0)}
        self.assertEqual(standing["third"], "ready")
        self.assertNotEqual(standing["first"], "ready")

    async def test_no_second_attempt_after_the_first_byte(self) -> None:
        """What breaks off midway is told in the stream, and asked nowhere else (I2)."""
        await self.start(KEYED)
        self.emulator.script(Script(text="", events=50, interval=0.01, cut_at=5))
        caller = await self.call()
        await self.asked(caller)
        body = caller.answer().body
        self.assertIn(b'"text":"', body)
        self.assertIn(b"event: error", body)
        self.assertNotIn(b"message_stop", body)
        self.assertEqual(len(self.generations()), 1)


class ConnectionWithTwistedsClientTests(ConnectionTests):
    """The same with the other HTTP client."""

    client_kind = "twisted"


class CertificateTests(LiveCase):
    """TLS towards the upstream, against an authority that this process is told to trust."""

    def setUp(self) -> None:
        """OpenSSL looks here for what to trust, whenever a context is made."""
        super().setUp()
        self.authority = Authority()
        trusted = Path(self.folder, "trusted.pem")
        trusted.write_bytes(self.authority.pem)
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(trusted)

        def restore() -> None:
            if before is None:
                del os.environ["SSL_CERT_FILE"]
            else:
                os.environ["SSL_CERT_FILE"] = before

        self.addCleanup(restore)

    async def start_tls(self, identity: IOpenSSLContextFactory) -> Caller:
        """Both services, with this proof of identity, and a question to them."""
        self.start_upstream(KEYED[:1], identity)
        await self.start_gateway(KEYED[:1])
        caller = await self.call()
        caller.ask()
        await caller.whole()
        return caller

    async def test_trusted(self) -> None:
        """The right name, from the authority: served, and the connection is kept."""
        caller = await self.start_tls(self.authority.server("127.0.0.1", self.folder))
        caller.ask()
        await caller.whole(2)
        self.assertEqual([answer.status for answer in caller.answers()], [200, 200])
        self.assertIn(b"message_stop", caller.answer().body)
        self.assertEqual(len(self.upstream.carrying()), 1)

    async def test_unknown_authority(self) -> None:
        """The right name from somebody else: refused before anything is sent."""
        self.assert_refused(
            await self.start_tls(Authority("another").server("127.0.0.1", self.folder))
        )

    async def test_another_name(self) -> None:
        """The wrong name, from the authority."""
        self.assert_refused(await self.start_tls(self.authority.server("127.0.0.2", self.folder)))

    async def test_leaving_closes_at_once(self) -> None:
        """A TLS connection that is paused can be closed as well."""
        self.start_upstream(KEYED[:1], self.authority.server("127.0.0.1", self.folder))
        await self.start_gateway(KEYED[:1])
        self.emulator.script(Script(text="x" * 65_536, repeat=1_000))
        caller = await self.call()
        caller.ask()
        await caller.until(b"text_delta")
        caller.pause()
        await self.sleep(0.5)
        self.assertLess(self.emulator.frames, 30_000)
        caller.vanish()
        await self.upstream_left()

    def assert_refused(self, caller: Caller) -> None:
        """The client is told, in terms that help the operator, and nothing was asked."""
        answer = caller.answer()
        self.assertIn(answer.status, (502, 503))
        self.assertIn(b"TLS", answer.body)
        self.assertEqual(len(self.emulator.calls), 0)
        self.assertEqual(self.gateway.parts.meter.recent[-1].error, "tls_failed")


class CertificateWithTwistedsClientTests(CertificateTests):
    """The same with the other HTTP client."""

    client_kind = "twisted"
