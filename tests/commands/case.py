"""A service whose answers are written down, and commands that are run against it."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from kiro2api.commands.calling import Api, Key
from kiro2api.commands.line import Line
from kiro2api.commands.main import parser, understood
from kiro2api.errors import KiroError
from kiro2api.redaction import Secret

BASE = "http://service.test:8080"
SECRET = "an-admin-key-that-nobody-prints"
KEY = Key(Secret(SECRET), "KIRO_ADMIN_TOKEN")


class Asked(msgspec.Struct):
    """One request as it arrived; ``body`` is decoded."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


class Response:
    """What treq gives."""

    def __init__(self, code: int, content: bytes, kind: str) -> None:
        self.code = code
        self.headers = Headers({"content-type": [kind]})
        self._content = content

    def content(self) -> Deferred[bytes]:
        """All of it."""
        return succeed(self._content)


class Service:
    """In the place of treq's client. What was not scripted is 404, as kiro2api says it."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Callable[[Asked], Any]]] = {}
        self.given_up: list[str] = []

    def script(self, what: str, *answers: Any) -> None:
        """Answers to ``METHOD /path`` in their order; the last one is given again and again.

        A dict, list or None is sent as JSON; a pair has the status before it; bytes are sent as
        they are; an exception is what the request fails with; Ellipsis stands for no answer.
        """
        self._answers[what] = [_given(each) for each in answers]

    def decide(self, what: str, decide: Callable[[Asked], Any]) -> None:
        """The answer depends on the request."""
        self._answers[what] = [decide]

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        data: bytes | None,
        allow_redirects: bool,
    ) -> Deferred[Any]:
        """As treq's client does it."""
        assert not allow_redirects
        body = data
        if data is not None:
            try:
                body = msgspec.json.decode(data)
            except msgspec.DecodeError:
                body = data
        asked = Asked(method, url.removeprefix(BASE), body, dict(headers))
        self.asked.append(asked)
        what = f"{method} {asked.path.partition('?')[0]}"
        answers = self._answers.get(what)
        if not answers:
            return succeed(_response((404, refused(f"there is no {asked.path}"))))
        answer = (answers.pop(0) if len(answers) > 1 else answers[0])(asked)
        if answer is ...:
            return Deferred(lambda _: self.given_up.append(what))
        if isinstance(answer, BaseException):
            failed: Deferred[Any] = Deferred()
            failed.errback(Failure(answer))
            return failed
        return succeed(_response(answer))

    def bodies(self, what: str) -> list[Any]:
        """What was sent there."""
        return [each.body for each in self.asked if f"{each.method} {each.path}" == what]


def _given(answer: Any) -> Callable[[Asked], Any]:
    return lambda _: answer


def _response(answer: Any) -> Response:
    status, value = answer if isinstance(answer, tuple) else (200, answer)
    if isinstance(value, bytes):
        kind = "text/event-stream" if value.startswith((b"event:", b"data:")) else "text/html"
        return Response(status, value, kind)
    content = b"" if value is None else msgspec.json.encode(value)
    return Response(status, content, "application/json")


def refused(message: str, param: str = "", **beside: object) -> dict[str, object]:
    """An error as the operator's API sends it."""
    error = {"type": "invalid_request", "message": message}
    if param:
        error["param"] = param
    return {"type": "error", "error": error, "request_id": "r1", **beside}


def page(*items: Any) -> dict[str, object]:
    """A list that fits into one page."""
    return {"items": list(items), "total": len(items), "page": 1, "page_size": 500}


def tokens(*items: Any) -> dict[str, object]:
    """The list of accounts, which is called as the original called it."""
    return {"tokens": list(items), "total": len(items), "page": 1, "page_size": 500}


def account(name: str = "mine", **fields: Any) -> dict[str, Any]:
    """An account as the operator's API shows it."""
    return {
        "id": f"{name}-id",
        "name": name,
        "group": "default",
        "auth_type": "social",
        "source": "stored",
        "status": "ready",
        "error": "",
        "returns_at": "",
        "in_flight": 0,
        "request_count": 3,
        "quota": None,
        **fields,
    }


class Outcome(msgspec.Struct):
    """What a command said. ``failed``: what the main program would print; None if it went well."""

    out: list[str]
    aside: list[str]
    failed: KiroError | None

    @property
    def words(self) -> str:
        """All that went to standard output."""
        return "\n".join(self.out)

    @property
    def value(self) -> Any:
        """The one JSON value that went to standard output."""
        (text,) = self.out
        return msgspec.json.decode(text)

    @property
    def message(self) -> str:
        """Why it failed."""
        assert self.failed is not None, self.out
        return self.failed.message


class CommandCase(SynchronousTestCase):
    """Runs command lines against ``self.service``."""

    def setUp(self) -> None:
        """A service that knows nothing yet."""
        self.service = Service()
        self.clock = Clock()
        self.api = Api(self.service, BASE, KEY, self.clock)

    def begin(self, *words: str) -> tuple[Deferred[None], Outcome]:
        """Run a command line as far as it goes."""
        outcome = Outcome([], [], None)
        arguments = parser().parse_args(words)
        line = Line(outcome.out.append, outcome.aside.append, json=arguments.json)
        going = Deferred.fromCoroutine(understood(arguments.run(self.api, arguments, line), BASE))

        def failed(failure: Failure) -> None:
            failure.trap(KiroError)
            assert isinstance(failure.value, KiroError)
            outcome.failed = failure.value

        going.addErrback(failed)
        return going, outcome

    def run_command(self, *words: str) -> Outcome:
        """Run a command line to its end."""
        going, outcome = self.begin(*words)
        for _ in range(20):
            if going.called:
                break
            self.clock.pump([5.0])
        self.successResultOf(going)
        return outcome

    def file(self, content: bytes | str, name: str = "given.json") -> str:
        """The path of a file with this content."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def missing_file(self) -> str:
        """A path where nothing is."""
        folder = Path(tempfile.gettempdir())
        return str(folder / "there-is-no-such-file.json")
