# -*- test-case-name: tests.test_logs -*-
"""Log lines: one per event, cut to what an operator wants to see.

Must not know what is logged. A line is ``TIME LEVEL NAMESPACE: MESSAGE`` or one JSON object; a
message can never begin a second line, and of an event's fields JSON shows only the scalars whose
names are listed here, because anything else may hold a secret.
"""

import os
import re
import signal
import sys
from collections.abc import Callable, MutableMapping
from time import gmtime, strftime
from typing import Any, Final, Protocol

import msgspec
import txaio.tx
from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from zope.interface import implementer

from kiro2api.lines import marked
from kiro2api.metering import Record, line_of

LEVELS: Final = ("trace", "debug", "info", "warn", "error", "critical")

FIELDS: Final = frozenset(Record.__struct_fields__).union(
    ("count", "fingerprint", "id", "kind", "limit", "listen", "method", "name", "path", "port"),
    ("reason", "rest", "retry_after", "revision", "scope", "seconds", "size", "version", "wait"),
)
"""The fields that a JSON line may show."""

LONGEST: Final = 16384
"""Characters of a message that are kept."""

ROTATE_BYTES: Final = 64 * 1024 * 1024
KEPT_FILES: Final = 5

_RANK: Final = {
    LogLevel.debug: 1,
    LogLevel.info: 2,
    LogLevel.warn: 3,
    LogLevel.error: 4,
    LogLevel.critical: 5,
}
_NOISE: Final = frozenset({"Starting factory {factory!r}", "Stopping factory {factory!r}"})
# Control characters, line separators, marks that turn the writing direction, lone surrogates.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNSAFE_IN_TRACEBACK: Final = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


class Stream(Protocol):
    """What lines are written to: a text stream or a Twisted LogFile."""

    def write(self, text: str, /) -> object:
        """Take the text of one event."""

    def flush(self) -> object:
        """Let it out."""


class Threshold:
    """The least important level that is shown, which may change at any time.

    :param level: one of ``LEVELS``.
    """

    def __init__(self, level: str) -> None:
        self.least = LEVELS.index(level)

    def set(self, level: str) -> None:
        """Show what is at least as important as ``level``."""
        self.least = LEVELS.index(level)
        # Who logs asks txaio first, so that lines nobody wants cost nothing.
        txaio.tx.set_global_log_level(level)


@implementer(ILogObserver)
class LineObserver:
    """Writes events to a stream; a stream that fails loses lines, never the service."""

    def __init__(self, stream: Stream, threshold: Threshold, json: bool) -> None:
        self._stream = stream
        self._threshold = threshold
        self._json = json
        self._second = -1
        self._second_text = ""
        self._short: dict[str, str] = {}

    def __call__(self, event: LogEvent) -> None:
        line = event.get("worker_line")
        if isinstance(line, str) and (line.startswith('{"') or not self._json):
            # Another process of ours has chosen and written it; it is complete.
            self._write(marked(line, int(event.get("worker", 0))) + "\n")
            return
        rank = _RANK.get(event.get("log_level", LogLevel.info), 2)
        if rank == 1 and event.get("txaio_trace"):
            rank = 0
        least = self._threshold.least
        if rank < least:
            return
        namespace = str(event.get("log_namespace") or "-")
        if rank == 2 and least == 2 and _is_noise(namespace, event):
            return
        self._write((self._object if self._json else self._line)(rank, namespace, event))

    def _write(self, text: str) -> None:
        try:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
            self._stream.flush()
        except (OSError, ValueError):
            # A full disk, a closed pipe or file: nobody is left to be told.
            pass

    def _line(self, rank: int, namespace: str, event: LogEvent) -> str:
        line = (
            f"{self._time(event)} {LEVELS[rank].upper():<5} {self._shortened(namespace)}:"
            f" {_safe(_message(event))}\n"
        )
        if trace := _traceback(event):
            line += "".join(f"    {row}\n" for row in trace.splitlines())
        return line

    def _object(self, rank: int, namespace: str, event: LogEvent) -> str:
        shown: dict[str, object] = {
            "time": self._time(event),
            "level": LEVELS[rank],
            "namespace": self._shortened(namespace),
            "message": _encodable(_message(event)),
        }
        record = event.get("record")
        fields = msgspec.structs.asdict(record) if isinstance(record, Record) else event
        for name, value in fields.items():
            # The exact types: a subclass may print as anything.
            if name in FIELDS and type(value) in (str, int, float, bool, type(None)):
                shown[name] = _encodable(value[:LONGEST]) if type(value) is str else value
        if trace := _traceback(event):
            shown["traceback"] = _encodable(trace)
        return _JSON.encode(shown).decode("utf-8") + "\n"

    def _time(self, event: LogEvent) -> str:
        seconds = float(event.get("log_time", 0.0))
        whole = int(seconds)
        if whole != self._second:
            self._second = whole
            self._second_text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(whole))
        return f"{self._second_text}.{int((seconds - whole) * 1000):03d}Z"

    def _shortened(self, namespace: str) -> str:
        """``kiro2api.web.site.ApiSite`` as ``web.site``."""
        short = self._short.get(namespace)
        if short is None:
            short = namespace
            if namespace.startswith("kiro2api."):
                parts = namespace.split(".")[1:]
                if len(parts) > 1 and parts[-1][:1].isupper():
                    parts.pop()
                short = ".".join(parts)
            short = _safe(short)
            # Namespaces are names of classes, so there are few; strange ones are not kept.
            if len(self._short) < 1000:
                self._short[namespace] = short
        return short


_JSON: Final = msgspec.json.Encoder()


def line_observer(stream: Stream, level: str | Threshold, format: str) -> LineObserver:
    """An observer for twisted.logger.

    :param level: the least important level shown, one of ``LEVELS``, or what decides that.
    :param format: ``text`` or ``json``.
    """
    threshold = level if isinstance(level, Threshold) else Threshold(level)
    return LineObserver(stream, threshold, format == "json")


def open_log_file(path: str) -> Stream:
    """A file, readable for its owner only, that is appended to and kept within bounds.

    A device or pipe, such as /dev/stderr, is only opened.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        return open(path, "a", encoding="utf-8")
    return LogFile(
        os.path.basename(path),
        os.path.dirname(os.path.abspath(path)),
        rotateLength=ROTATE_BYTES,
        defaultMode=0o600,
        maxRotatedFiles=KEPT_FILES,
    )


def _is_noise(namespace: str, event: LogEvent) -> bool:
    """Whether Twisted is only talking to itself."""
    return not namespace.startswith(("kiro2api", "stdout", "stderr")) or (
        event.get("log_format") in _NOISE
    )


def _message(event: LogEvent) -> str:
    record = event.get("record")
    if type(record) is Record:
        # One for each request: the general way of formatting would cost more than the line.
        return line_of(record)
    if event.get("log_namespace") == "log_legacy" and "failure" in event:
        # The old log.err puts the traceback into its text; it follows below anyway.
        message = str(event.get("why") or "unexpected failure")
    elif event.get("log_format") is None and "log_failure" in event:
        message = "unexpected failure"
    else:
        message = formatEvent(event)
        if message.startswith("Unable to format event "):
            # What follows is the whole event, whatever it holds.
            message = f"unformattable event {event.get('log_format')!r}"
    if len(message) > LONGEST:
        message = message[:LONGEST] + "..."
    return message


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure", event.get("failure"))
    if not isinstance(failure, Failure):
        return ""
    text = failure.getTraceback().rstrip("\n")
    return _UNSAFE_IN_TRACEBACK.sub(_escaped, text[-LONGEST:])


def _encodable(text: str) -> str:
    """JSON escapes everything but lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _safe(text: str) -> str:
    # Most messages have nothing to escape, and this test is cheap.
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class _Logged(MultiService):
    """The outermost service: brings its observer to the application it becomes part of."""

    def __init__(self, observer: LineObserver) -> None:
        super().__init__()
        self._observer = observer

    def setServiceParent(self, parent: Any) -> None:
        """twistd asks its application for an observer, after the services were made."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)


def install(
    service: IService,
    parent: MutableMapping[str, Any] | None,
    *,
    level: str,
    format: str,
    reactor: IReactorFromThreads | None = None,
    follow: Callable[[Callable[[str], None]], None] | None = None,
) -> IService:
    """Make our lines the ones that twistd, or twist, prints.

    :param service: what ``makeService`` made.
    :param parent: ``options.parent``: the options of twistd or twist; its choice of a log file is
        kept. A choice of another observer (``--logger``, ``--syslog``) is kept, too.
    :param reactor: with one, SIGUSR1 begins a new log file, as with twistd's own.
    :param follow: is given what sets another level while the service runs.
    :return: the service that ``makeService`` has to return.
    """
    threshold = Threshold(level)
    threshold.set(level)
    if follow is not None:
        follow(threshold.set)
    if parent is None:
        return service
    if "fileLogObserverFactory" in parent:
        # twist: makes the observer itself, from what its options say.
        parent["fileLogObserverFactory"] = lambda stream: line_observer(stream, threshold, format)
        parent["logLevel"] = LogLevel.debug
        return service
    path, daemon = parent.get("logfile"), not parent.get("nodaemon")
    if parent.get("syslog") or parent.get("logger") or (path == "-" and daemon):
        return service  # a daemon without a terminal: twistd itself refuses that
    if path == "-" or not (path or daemon):
        stream: Stream = sys.stdout
    else:
        stream = open_log_file(path or "twistd.log")
        if reactor is not None and isinstance(stream, LogFile):
            _rotate_on_signal(stream, reactor)
    logged = _Logged(line_observer(stream, threshold, format))
    service.setServiceParent(logged)
    return logged


def _rotate_on_signal(file: LogFile, reactor: IReactorFromThreads) -> None:
    # Only where nobody else has a use for the signal, which by default kills the process.
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(file.rotate))
