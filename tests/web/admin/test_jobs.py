"""Work that outlasts a request."""

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import RequestRejected, UpstreamUnavailable
from kiro2api.web.admin.jobs import Job, Jobs, Target
from kiro2api.web.peers import Replies
from tests.web.admin.case import AdminCase

TARGETS = [Target(f"id-{number}", f"name-{number}") for number in range(5)]


class JobsTests(SynchronousTestCase):
    """Jobs, a few accounts at a time."""

    def setUp(self) -> None:
        numbers = iter(range(1000))
        self.jobs = Jobs(lambda: f"job-{next(numbers)}", abreast=2, most=3)
        self.open: dict[str, Deferred[None]] = {}

    def work(self, target: str) -> Deferred[None]:
        """Waits for the test."""
        self.open[target] = Deferred()
        return self.open[target]

    def finish(self, target: str, error: Exception | None = None) -> None:
        """One is done."""
        waiting = self.open.pop(target)
        if error is None:
            waiting.callback(None)
        else:
            waiting.errback(error)

    def test_abreast(self) -> None:
        """So many at once and no more, until all are done."""
        job = self.jobs.start("refresh", TARGETS, self.work)
        self.assertEqual(list(self.open), ["id-0", "id-1"])
        self.finish("id-1")
        self.assertEqual(list(self.open), ["id-0", "id-2"])
        for target in ("id-0", "id-2", "id-3"):
            self.finish(target)
        self.assertEqual((job.done, job.finished), (4, False))
        self.finish("id-4")
        self.assertEqual((job.done, job.failed, job.finished), (5, 0, True))
        self.assertEqual([each.status for each in job.results], ["ok"] * 5)

    def test_failures(self) -> None:
        """Each is told; the others go on. A bug is logged and not shown."""
        job = self.jobs.start("refresh", TARGETS[:3], self.work)
        self.finish("id-0", UpstreamUnavailable("away"))
        self.finish("id-1", ValueError("secret detail"))
        self.finish("id-2")
        self.assertEqual((job.done, job.failed, job.finished), (3, 2, True))
        self.assertEqual(job.results[0].error, "away")
        self.assertNotIn("secret", job.results[1].error)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_nothing_to_do(self) -> None:
        """Is done at once."""
        self.assertTrue(self.jobs.start("refresh", [], self.work).finished)

    def test_at_once(self) -> None:
        """Work that never waits is no reason to recurse or to hang."""
        done: list[str] = []

        async def work(target: str) -> None:
            done.append(target)

        targets = [Target(str(number), "") for number in range(3000)]
        self.assertTrue(self.jobs.start("refresh", targets, work).finished)
        self.assertEqual(len(done), 3000)

    def test_most(self) -> None:
        """Only so many are under way; finished ones are forgotten in time."""
        old = self.jobs.start("refresh", [], self.work)
        running = [self.jobs.start("refresh", TARGETS[:1], self.work) for _ in range(3)]
        self.assertRaises(RequestRejected, self.jobs.start, "refresh", TARGETS, self.work)
        self.assertIs(self.jobs.find(running[0].id), running[0])
        for job in running:
            job.finished = True
        for _ in range(5):
            self.jobs.start("refresh", [], self.work)
        self.assertIsNone(self.jobs.find(old.id))

    def test_stop(self) -> None:
        """What is under way is cancelled, and nothing more begins."""
        job = self.jobs.start("refresh", TARGETS, self.work)
        self.assertIsNone(self.successResultOf(self.jobs.stop()))
        self.assertEqual((list(self.open), job.done), (["id-0", "id-1"], 0))
        self.assertRaises(RequestRejected, self.jobs.start, "refresh", TARGETS, self.work)


class JobsApiTests(AdminCase):
    """GET /api/jobs/{id}."""

    def test_progress(self) -> None:
        """How far it is, while it runs."""
        self.outside.waiting = Deferred()
        self.add(1, name="first")
        job = self.good("POST", "/api/tokens/refresh", {}, 202)["job"]
        told = self.good("GET", f"/api/jobs/{job}")
        self.assertEqual(
            told,
            {
                "id": job,
                "kind": "refresh",
                "total": 1,
                "done": 0,
                "failed": 0,
                "finished": False,
                "results": [],
            },
        )
        self.outside.waiting.errback(UpstreamUnavailable("away"))
        told = self.good("GET", f"/api/jobs/{job}")
        self.assertEqual((told["failed"], told["finished"]), (1, True))
        [result] = told["results"]
        self.assertEqual(
            (result["name"], result["status"], result["error"]), ("first", "error", "away")
        )

    def test_elsewhere(self) -> None:
        """A job of another process is shown as that one tells it, and told to others likewise."""
        job = Job("job-7", "refresh", 2, done=1, failed=1)
        asked: list[tuple[str, str]] = []

        async def others(about: str, subject: str) -> Replies:
            asked.append((about, subject))
            return Replies((msgspec.Raw(b"null"), msgspec.Raw(msgspec.json.encode(job))))

        self.peers.ask = others
        self.assertEqual(self.good("GET", "/api/jobs/job-7"), msgspec.to_builtins(job))
        self.assertEqual(asked, [("job", "job-7")])
        own = self.good("POST", "/api/tokens/refresh", {}, 202)["job"]
        self.assertEqual(self.good("GET", f"/api/jobs/{own}")["id"], own)
        self.assertEqual(len(asked), 1)
        answer = msgspec.json.decode(self.peers.answer("job", own))
        self.assertEqual((answer["id"], answer["finished"]), (own, True))
        self.assertEqual(bytes(self.peers.answer("job", "job-7")), b"null")

    def test_unknown(self) -> None:
        """Or of nobody's business."""
        self.bad("GET", "/api/jobs/x", status=404)
        self.assertEqual(self.call("GET", "/api/jobs/x", key="key").status, 403)
        self.assertIsInstance(Job("a", "b", 0).results, list)
