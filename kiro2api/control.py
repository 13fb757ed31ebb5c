# -*- test-case-name: tests.test_control -*-
"""What supervisor and workers say to each other, and how it is written.

Messages are JSON with a length before it, on a socket in a folder that only its owner may enter.
Must not know what anybody does about a message.
"""

import os
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from kiro2api.accounts.logins import Login
from kiro2api.accounts.notices import Notice
from kiro2api.accounts.status import AccountStatus
from kiro2api.metering import Totals
from kiro2api.web.overview import Overview

VARIABLE: Final = "KIRO2API_WORKER"
"""The environment variable by which a process knows that it is a worker."""


class Place(msgspec.Struct, frozen=True):
    """What a worker is told at its start.

    ``listen``, ``port`` and ``inherited`` say where it listens (see ``sharing``), ``control`` is
    the path of the supervisor's socket, ``workers`` how many there are to be.
    """

    serial: int
    number: int
    workers: int
    control: str
    listen: str
    port: int
    inherited: bool


def place_of(environment: Mapping[str, str]) -> Place | None:
    """Where this process belongs; None if it is no worker."""
    text = environment.get(VARIABLE)
    return msgspec.json.decode(text, type=Place) if text else None


# ── from a worker ────────────────────────────────────────────────────────────


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message."""

    serial: int


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """The port is open and everything behind it is ready."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """What has changed since the last report: accounts, and sums by account and model."""

    statuses: list[AccountStatus]
    totals: list[tuple[str, str, Totals]]
    active_requests: int


class Told(msgspec.Struct, frozen=True, tag="told"):
    """Something that the other workers must know; also to a worker."""

    notice: Notice


class LoginTurned(msgspec.Struct, frozen=True, tag="login"):
    """How a login stands; also to a worker. No secret is in it."""

    login: Login


class Enquiry(msgspec.Struct, frozen=True, tag="enquiry"):
    """What does each of the others know of ``subject``? Also to a worker: it is to ``Reply``.

    ``asker`` is who asks, and set by the supervisor.
    """

    question: int
    about: str
    subject: str
    asker: int = 0


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """One worker's answer to the ``Enquiry`` of that number and asker; passed on to that one.

    ``told`` is any JSON: nobody on the way reads it.
    """

    asker: int
    question: int
    told: msgspec.Raw


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """What does everybody together know? ``brief``: without accounts."""

    question: int
    brief: bool = False


# ── to a worker ──────────────────────────────────────────────────────────────


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The answer to the ``Ask`` of that number."""

    question: int
    overview: Overview


class Expect(msgspec.Struct, frozen=True, tag="expect"):
    """So many replies will come to the ``Enquiry`` of that number."""

    question: int
    replies: int


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Deliver what is under way and end."""


Message: TypeAlias = (
    Hello | Serving | Report | Told | LoginTurned | Enquiry | Reply | Ask | Answer | Expect | Leave
)

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Message).decode


class Conversation(Int32StringReceiver):
    """One end of a connection; subclasses react in ``heard`` and ``closed``."""

    MAX_LENGTH = 64 * 1024 * 1024
    log = Logger()

    def say(self, message: Message) -> None:
        """Send one message; nothing happens if the other end is gone."""
        if self.connected:
            self.sendString(_encode(message))

    def stringReceived(self, string: bytes) -> None:
        """One message has arrived."""
        try:
            message = _decode(string)
        except (msgspec.DecodeError, UnicodeError):
            # Another version of ours, perhaps, replaced on disk between two starts.
            self.log.error("a message of another process is not understood")
            return
        self.heard(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The other end is gone."""
        self.connected = 0
        self.closed()

    def heard(self, message: Message) -> None:
        """One message."""
        raise NotImplementedError

    def closed(self) -> None:
        """Nothing comes any more."""
        raise NotImplementedError


def remove_socket(path: str) -> None:
    """Remove the supervisor's socket and its folder, as far as they are still there."""
    for remove, what in ((os.unlink, path), (os.rmdir, os.path.dirname(path))):
        try:
            remove(what)
        except OSError:
            pass
