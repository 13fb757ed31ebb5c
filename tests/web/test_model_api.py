"""The routes of the model APIs beside the answers themselves."""

from kiro2api.upstream.interfaces import OfferedModel
from kiro2api.web.model_api import ModelApi
from kiro2api.web.operator_api import OperatorApi
from tests.web.case import HELLO, WebCase

ANTHROPIC = {"anthropic-version": "2026-10-21"}


class RoutingTests(WebCase):
    """What there is and what there is not."""

    def test_no_two_routes_share_a_name(self) -> None:
        """Klein would silently serve the last one for both."""
        for app in (ModelApi.app, OperatorApi.app):
            self.assertEqual(len(list(app.url_map.iter_rules())), len(app.endpoints))

    def test_unknown_paths(self) -> None:
        """404 is JSON in the caller's dialect; so are other methods."""
        for path in ("/v1/embeddings", "/nope", "/pro", "/v1", "/v1/messages/batches", "/%ff"):
            reply = self.ask(path)
            self.assertEqual(reply.status, 404, path)
            self.assertEqual(reply.json["error"]["type"], "not_found_error", path)
            self.assertEqual(reply.headers["content-type"], "application/json")
        reply = self.ask("/v1/chat/nope")
        self.assertEqual((reply.status, reply.json["error"]["code"]), (404, "not_found"))

    def test_wrong_method(self) -> None:
        """405 says what is allowed."""
        reply = self.ask("/v1/messages", method="PUT")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "POST"))
        reply = self.ask("/v1/chat/completions")
        self.assertEqual(reply.status, 405)
        self.assertIn("param", reply.json["error"])

    def test_hostile_host(self) -> None:
        """A Host header that no URL could hold changes nothing."""
        self.assertEqual(self.ask("/health", headers={"Host": "a" * 70}).status, 200)

    def test_draining(self) -> None:
        """New model requests on old connections are sent away."""
        channel, wire = self.start("/health")
        self.site.draining = True
        before = len(wire.value())
        channel.dataReceived(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        self.assertIn(b"503", wire.value()[before : before + 20])


class CountTokensTests(WebCase):
    """Token counts."""

    def test_counts(self) -> None:
        """A number, also without max_tokens, also below a group."""
        body = {"model": "m", "messages": HELLO["messages"]}
        for path in ("/v1/messages/count_tokens?beta=true", "/pro/v1/messages/count_tokens"):
            reply = self.ask(path, body)
            self.assertEqual(list(reply.json), ["input_tokens"])
            self.assertGreater(reply.json["input_tokens"], 0)

    def test_needs_a_key(self) -> None:
        """As every route."""
        self.assertEqual(self.ask("/v1/messages/count_tokens", HELLO, key="").status, 401)


class ModelsTests(WebCase):
    """The list of models."""

    def listed(self, **more: object) -> list[str]:
        """The ids listed."""
        return [entry["id"] for entry in self.ask("/v1/models", **more).json["data"]]

    def test_shapes(self) -> None:
        """Anthropic's where its version header is sent, else OpenAI's."""
        reply = self.ask("/v1/models", headers=ANTHROPIC)
        self.assertEqual(reply.json["data"][0]["type"], "model")
        self.assertIn("request-id", reply.headers)
        reply = self.ask("/v1/models")
        self.assertEqual(reply.json["object"], "list")
        self.assertIn("x-request-id", reply.headers)

    def test_the_originals(self) -> None:
        """The five models of the original are there."""
        self.assertLessEqual(
            {
                "claude-opus-4-5-20251101",
                "claude-sonnet-4-5-20250929",
                "claude-sonnet-4-20250514",
                "claude-3-7-sonnet-20250219",
                "claude-haiku-4-5",
            },
            set(self.listed()),
        )

    def test_pages(self) -> None:
        """limit and after_id page through all of it."""
        seen: list[str] = []
        after = ""
        while True:
            reply = self.ask(f"/v1/models?limit=3&after_id={after}", headers=ANTHROPIC)
            seen += [entry["id"] for entry in reply.json["data"]]
            if not reply.json["has_more"]:
                break
            after = reply.json["last_id"]
        self.assertEqual(seen, self.listed())
        self.assertEqual(self.listed(headers=ANTHROPIC), seen)
        self.assertEqual(
            len(self.ask("/v1/models?limit=x", headers=ANTHROPIC).json["data"]), len(seen)
        )

    def test_narrowed_to_the_offer(self) -> None:
        """Once every account's offer is known, only that is listed, unknown models included."""
        self.offers.offered = (
            OfferedModel("claude-sonnet-4.5"),
            OfferedModel("brand-new-1", name="Brand New"),
        )
        self.assertEqual(self.listed(), ["claude-sonnet-4-5-20250929", "brand-new-1"])
        self.offers.offered = ()
        self.assertGreater(len(self.listed()), 5)

    def test_one(self) -> None:
        """By its listed id, or by any other name it has."""
        for name in ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5"):
            self.assertEqual(self.ask(f"/v1/models/{name}").json["id"], name)
        reply = self.ask("/pro/v1/v1/models/claude-sonnet-4.5")
        self.assertEqual(reply.status, 404)
        reply = self.ask("/v1/models/claude-haiku-4-5", headers=ANTHROPIC)
        self.assertEqual(reply.json["type"], "model")

    def test_unknown(self) -> None:
        """404 that lists what there is; ids may hold slashes."""
        reply = self.ask("/v1/models/vendor/unknown-7")
        self.assertEqual((reply.status, reply.json["error"]["code"]), (404, "model_not_found"))
        self.assertIn("vendor/unknown-7", reply.json["error"]["message"])
        self.assertIn("claude-haiku-4-5", reply.json["error"]["message"])

    def test_keys(self) -> None:
        """Lists need a key as well."""
        self.assertEqual(self.ask("/v1/models", key="").status, 401)
        self.assertEqual(self.ask("/v1/models/x", key="").status, 401)
