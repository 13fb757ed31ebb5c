"""Tests for kiro2api.websearch_tool."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Conversation, ServerTool, ToolChoice, ToolSpec
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import (
    AccessRefused,
    QuotaExhausted,
    Throttled,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.websearch_tool import (
    MAX_QUERY,
    BadInput,
    SearchInput,
    error_code,
    permitted,
    planned,
    read_input,
    within,
)

SEARCH = ServerTool(kind="web_search")
FREE = ToolChoice()


def conversation(tool: ServerTool = SEARCH, *names: str, choice: ToolChoice) -> Conversation:
    """One that declares the search beside these tools of the client."""
    tools = tuple(ToolSpec(name) for name in names)
    return Conversation(turns=(), tools=tools, tool_choice=choice, server_tools=(tool,))


class PlannedTests(SynchronousTestCase):
    """What the model is offered."""

    def plan(
        self, *names: str, tool: ServerTool = SEARCH, choice: ToolChoice = FREE
    ) -> tuple[str, Conversation]:
        plan = planned(conversation(tool, *names, choice=choice))
        assert plan is not None
        self.assertEqual(plan.conversation.tools[-1].name, plan.name)
        self.assertEqual(len(plan.conversation.tools), len(names) + 1)
        return plan.name, plan.conversation

    def test_not_declared(self) -> None:
        """Nobody is given a tool that was not declared, or that may not be called."""
        plain = Conversation(turns=(), tools=(ToolSpec("web_search"),))
        self.assertIsNone(planned(plain))
        self.assertIsNone(planned(conversation(choice=ToolChoice("none"))))

    def test_name(self) -> None:
        """No tool of the client bears it."""
        self.assertEqual(self.plan("read")[0], "web_search")
        self.assertEqual(self.plan("web_search", "web_search_3")[0], "web_search_2")
        self.assertEqual(self.plan("web_search", "web_search_2")[0], "web_search_3")

    def test_schema(self) -> None:
        """It is JSON, and asks for a query."""
        schema = msgspec.json.decode(self.plan()[1].tools[0].schema)
        self.assertEqual(schema["required"], ["query"])

    def test_choice(self) -> None:
        """A choice of the search by the client's name for it is one of ours; others stay."""
        tool = msgspec.structs.replace(SEARCH, name="look")
        chosen = ToolChoice("named", "look", parallel=False)
        self.assertEqual(
            self.plan("web_search", tool=tool, choice=chosen)[1].tool_choice,
            ToolChoice("named", "web_search_2", parallel=False),
        )
        self.assertEqual(self.plan("look", tool=tool, choice=chosen)[1].tool_choice, chosen)
        for choice in (ToolChoice("any"), ToolChoice("named", "read")):
            self.assertEqual(self.plan("read", choice=choice)[1].tool_choice, choice)

    def test_description(self) -> None:
        """The model is told of the client's limits and of the place, as far as known."""
        tool = msgspec.structs.replace(
            SEARCH,
            allowed_domains=("a.example",),
            blocked_domains=("b.example",),
            user_location=b'{"type":"approximate","city":"Graz","country":"AT","region":null}',
        )
        text = self.plan(tool=tool)[1].tools[0].description
        for part in ("a.example", "b.example", "Graz, AT."):
            self.assertIn(part, text)
        for location in (b"", b"{}", b"[]", b'{"city":1}'):
            tool = msgspec.structs.replace(SEARCH, user_location=location)
            self.assertNotIn("user is", self.plan(tool=tool)[1].tools[0].description)


class InputTests(SynchronousTestCase):
    """What a call asks for."""

    def test_query(self) -> None:
        """Under its own name and those that models know from elsewhere."""
        for given_input in (
            b'{"query":" a b "}',
            b'{"query":"","q":"a b"}',
            b'{"search_query":"a b","x":1}',
            b'{"search_term":"a b"}',
            b'{"query":[],"queries":["a b","c"]}',
        ):
            self.assertEqual(read_input(given_input), SearchInput("a b"))

    def test_domains(self) -> None:
        """Lists of texts; anything else is none."""
        self.assertEqual(
            read_input(b'{"query":"a","allowed_domains":["x",1," "],"blocked_domains":"y"}'),
            SearchInput("a", ("x",), ()),
        )

    def test_bad(self) -> None:
        """What cannot be searched says so."""
        for given_input in (b"", b"[]", b"{}", b'{"query":1}', b'{"query":"\xff"}', b"[" * 99999):
            bad = self.assertRaises(BadInput, read_input, given_input)
            self.assertEqual((bad.code, bad.query), ("invalid_tool_input", ""))
        bad = self.assertRaises(
            BadInput, read_input, msgspec.json.encode({"query": "x" * (MAX_QUERY + 1)})
        )
        self.assertEqual((bad.code, bad.query), ("query_too_long", "x" * MAX_QUERY))
        read_input(msgspec.json.encode({"query": "x" * MAX_QUERY}))


class ErrorTests(SynchronousTestCase):
    """How a failure is told."""

    def test_codes(self) -> None:
        """By what is behind it."""
        faults: list[tuple[UpstreamFault, str]] = [
            (Throttled("x"), "too_many_requests"),
            (QuotaExhausted("x"), "too_many_requests"),
            (UpstreamRefused("x", code="invalid_query"), "invalid_tool_input"),
            (UpstreamRefused("x"), "unavailable"),
            (AccessRefused("x"), "unavailable"),
            (UpstreamUnavailable("x"), "unavailable"),
        ]
        for fault, code in faults:
            self.assertEqual(error_code(fault), code)


class DomainTests(SynchronousTestCase):
    """Which pages are given back."""

    def test_within(self) -> None:
        """Domains with their subdomains, with a path or a pattern, however they are written."""
        for url, domain, expected in (
            ("https://example.com/a", "example.com", True),
            ("https://docs.example.com:8443/a?b", "example.com", True),
            ("https://EXAMPLE.com", "Example.Com", True),
            ("https://example.com", "www.example.com", True),
            ("https://www.example.com/", "https://example.com", True),
            ("https://a.example.com/", "*.example.com", True),
            ("https://notexample.com/", "example.com", False),
            ("https://example.com/", "docs.example.com", False),
            ("https://example.com.evil.net/", "example.com", False),
            ("https://evil.net/example.com", "example.com", False),
            ("https://user@example.com/", "user", False),
            ("https://example.com/blog/1", "example.com/blog", True),
            ("https://example.com/blog", "example.com/blog/", True),
            ("https://example.com/blogs", "example.com/blog", False),
            ("https://example.com/a", "example.com/*", True),
            ("https://example.com/en/news/1", "example.com/*/news", True),
            ("https://example.com/news/1", "example.com/*/news", False),
            ("https://[bad/", "example.com", False),
            ("https://example.com/", "[bad", False),
            ("https://example.com/", "", False),
            ("", "", False),
        ):
            self.assertIs(within(url, (domain,)), expected, (url, domain))

    def test_permitted(self) -> None:
        """Every list has its say, in the order of the pages."""
        hits = [SearchHit(f"https://{host}.example/") for host in "abcd"]

        def left(tool: ServerTool, given_input: SearchInput) -> str:
            return "".join(hit.url[8] for hit in permitted(hits, tool, given_input))

        none = SearchInput("q")
        self.assertEqual(left(SEARCH, none), "abcd")
        allowing = msgspec.structs.replace(SEARCH, allowed_domains=("a.example", "b.example"))
        self.assertEqual(left(allowing, none), "ab")
        self.assertEqual(left(allowing, SearchInput("q", ("b.example", "c.example"))), "b")
        self.assertEqual(left(allowing, SearchInput("q", (), ("a.example",))), "b")
        blocking = msgspec.structs.replace(SEARCH, blocked_domains=("a.example",))
        self.assertEqual(left(blocking, none), "bcd")

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=20), st.text(max_size=20))
    def test_any_text(self, url: str, domain: str) -> None:
        """Whatever a model or a client writes, there is an answer."""
        self.assertIn(within(url, (domain,)), (True, False))
