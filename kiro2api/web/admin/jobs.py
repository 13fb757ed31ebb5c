# -*- test-case-name: tests.web.admin.test_jobs -*-
"""Work on many accounts that outlasts a request: a few at a time, with a progress to look at.

Must not know what is done. Finished jobs are remembered for a while, and only so many.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger

from kiro2api.errors import Kind, KiroError, NotFound, RequestRejected
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.gate import Gate
from kiro2api.web.peers import Peers
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest


class Target(msgspec.Struct, frozen=True):
    """One of the things that something is done with."""

    id: str
    name: str


class Result(msgspec.Struct, frozen=True):
    """How it went: ``status`` is ``ok`` or ``error``."""

    id: str
    name: str
    status: str
    error: str = ""


class Job(msgspec.Struct):
    """One job so far."""

    id: str
    kind: str
    total: int
    done: int = 0
    failed: int = 0
    finished: bool = False
    results: list[Result] = []


_JOB: Final = msgspec.json.Decoder(Job)
_ABOUT: Final = "job"


class Jobs:
    """Does the work of all jobs.

    :param abreast: how much of one job is under way at once.
    :param most: how many jobs may be unfinished at once, and how many finished ones are kept.
    """

    log = Logger()

    def __init__(self, new_id: Callable[[], str], *, abreast: int = 5, most: int = 20) -> None:
        self._new_id = new_id
        self._abreast = abreast
        self._most = most
        self._jobs: dict[str, Job] = {}
        self._workers: set[Deferred[None]] = set()
        self._stopped = False

    def start(
        self, kind: str, targets: Iterable[Target], work: Callable[[str], Awaitable[object]]
    ) -> Job:
        """Begin to do ``work`` with the id of each; what it fails with is that one's result.

        :raises RequestRejected: too many jobs are under way.
        """
        waiting = list(targets)
        running = sum(not job.finished for job in self._jobs.values())
        if self._stopped or running >= self._most:
            raise RequestRejected("too many jobs are under way", kind=Kind.RATE_LIMITED)
        for old in [job for job in self._jobs.values() if job.finished][: -self._most]:
            del self._jobs[old.id]
        job = Job(self._new_id(), kind, len(waiting), finished=not waiting)
        self._jobs[job.id] = job
        rest = iter(waiting)
        for _ in range(min(self._abreast, len(waiting))):
            self._employ(job, rest, work)
        return job

    def find(self, job_id: str) -> Job | None:
        """The job of that id, None if there is none (any more)."""
        return self._jobs.get(job_id)

    def stop(self) -> Deferred[None]:
        """Begin nothing more; fires when what is under way was cancelled."""
        self._stopped = True
        workers = tuple(self._workers)
        for worker in workers:
            worker.cancel()
        return DeferredList(workers, consumeErrors=True).addCallback(lambda _: None)

    def _employ(
        self, job: Job, rest: Iterator[Target], work: Callable[[str], Awaitable[object]]
    ) -> None:
        worker = Deferred.fromCoroutine(self._work(job, rest, work))
        self._workers.add(worker)

        def ended(result: object) -> None:
            self._workers.discard(worker)

        worker.addErrback(lambda failure: failure.trap(CancelledError) and None)
        worker.addBoth(ended)

    async def _work(
        self, job: Job, rest: Iterator[Target], work: Callable[[str], Awaitable[object]]
    ) -> None:
        for target in rest:
            error = ""
            try:
                await work(target.id)
            except CancelledError:
                raise
            except KiroError as fault:
                error = fault.message
            except Exception:  # noqa: BLE001  (one account must not end the work on the others)
                self.log.failure("a job broke on one account")
                error = "internal error; the operator's log has the details"
            job.done += 1
            job.failed += bool(error)
            status = "error" if error else "ok"
            job.results.append(Result(target.id, target.name, status, error))
            job.finished = job.done == job.total


class JobsApi:
    """Routes below ``/api/jobs``."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, jobs: Jobs, peers: Peers) -> None:
        self._gate = gate
        self._jobs = jobs
        self._peers = peers
        peers.answers[_ABOUT] = jobs.find

    @app.route("/api/jobs/<job_id>", methods=["GET"])
    async def job(self, request: ApiRequest, job_id: str) -> bytes:
        """How far it is, in whichever process it runs."""
        self._gate.identify_admin(request)
        job = self._jobs.find(job_id)
        if job is None:
            found, _ = await self._peers.asked(_ABOUT, job_id, _JOB)
            if not found:
                raise NotFound(f"there is no job {job_id!r}")
            job = found[0]
        return send_value(request, job)
