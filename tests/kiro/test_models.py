# -*- test-case-name: tests.kiro.test_models -*-
"""Tests for the model catalogue."""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.models import (
    BUILT_IN,
    DEFAULT_WINDOW,
    STAND_INS,
    Catalogue,
    Model,
    choose_upstream_id,
    normalised,
)


class NormalisedTests(SynchronousTestCase):
    """The spellings that clients use for one model."""

    def test_spellings(self) -> None:
        """Case, maker, date, revision and option suffixes do not matter."""
        for spelling in (
            "claude-sonnet-4-5",
            "claude-sonnet-4.5",
            "Claude-Sonnet-4-5",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5-latest",
            "claude-sonnet-4-5-20250929-thinking",
            "claude-sonnet-4-5[1m]",
            "claude-sonnet-4.5-1m",
            "claude-sonnet-4-5-xhigh",
            "claude-sonnet-4-5-thinking-low",
            "anthropic/claude-sonnet-4.5",
            "openrouter/anthropic/claude-sonnet-4-5",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5@20250929",
            " claude-sonnet-4-5 ",
        ):
            self.assertEqual(normalised(spelling), "claude-sonnet-4.5", spelling)

    def test_versions_stay_apart(self) -> None:
        """A major version alone never becomes a minor one, nor the other way round."""
        self.assertEqual(normalised("claude-opus-5"), "claude-opus-5")
        self.assertEqual(normalised("claude-opus-5-5"), "claude-opus-5.5")
        self.assertEqual(normalised("claude-opus-4-5-20251101"), "claude-opus-4.5")
        self.assertEqual(normalised("claude-opus-4-20250514"), "claude-opus-4")
        self.assertEqual(normalised("claude-3-7-sonnet-latest"), "claude-3.7-sonnet")

    def test_other_makers(self) -> None:
        """Names of other makers keep their hyphens where no version stands."""
        for name in ("gpt-5.6-sol", "minimax-m2.5", "qwen3-coder-next", "glm-5", "auto"):
            self.assertEqual(normalised(name), name)

    def test_only_suffix(self) -> None:
        """A name that is nothing but a suffix is left alone."""
        self.assertEqual(normalised("-latest"), "-latest")
        self.assertEqual(normalised(""), "")

    @given(
        st.sampled_from(["", "anthropic/", "anthropic.", "a/b/", "us.anthropic."]),
        st.sampled_from(BUILT_IN[:12]),
        st.lists(st.sampled_from(["-latest", "-thinking", "[1m]", "-1m", "-high", "-20250929"])),
    )
    def test_any_combination(self, maker: str, model: Model, suffixes: list[str]) -> None:
        """Whatever is put around the name of a Claude, the name comes out."""
        for name in (model.name, *model.public):
            self.assertEqual(normalised(maker + name + "".join(suffixes)), model.name)


class CatalogueTests(SynchronousTestCase):
    """Names to models."""

    def setUp(self) -> None:
        self.catalogue = Catalogue()

    def test_original_ids(self) -> None:
        """The ids that the predecessor listed are listed."""
        listed = [id for id, _ in self.catalogue.listed()]
        for id in (
            "claude-opus-4-5-20251101",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-20250514",
            "claude-3-7-sonnet-20250219",
            "claude-haiku-4-5",
        ):
            self.assertIn(id, listed)

    def test_listed_resolve_to_themselves(self) -> None:
        """Each listed id leads to the model it is listed with, and so does the upstream's id."""
        for id, model in self.catalogue.listed():
            self.assertIs(self.catalogue.resolve(id), model)
            self.assertIs(self.catalogue.find(id), model)
            self.assertIs(self.catalogue.resolve(model.name), model)

    def test_ids_are_unique(self) -> None:
        """No id is listed twice, no name used twice."""
        self.assertEqual(len(self.catalogue.listed()), sum(len(m.public) for m in BUILT_IN))
        self.assertEqual(len({model.name for model in BUILT_IN}), len(BUILT_IN))

    def test_built_in_facts(self) -> None:
        """The table holds sane numbers and ids the upstream's pattern allows."""
        for model in BUILT_IN:
            self.assertGreaterEqual(model.window, 128_000)
            self.assertGreaterEqual(model.max_output, 8_000)
            self.assertGreater(model.created, 1_700_000_000)
            self.assertTrue(model.display)
            self.assertTrue(model.known)
            self.assertEqual(model.candidates[0], model.name)
            for id in model.candidates:
                self.assertTrue(re.fullmatch(r"[a-zA-Z0-9_:.-]+", id), id)

    def test_aliases_of_the_original(self) -> None:
        """Each documented name of the predecessor leads where it led there."""
        for name, target in {
            "claude-sonnet-4-0": "claude-sonnet-4",
            "claude-3-7-sonnet-latest": "claude-3.7-sonnet",
            "claude-haiku-4-5-20251001": "claude-haiku-4.5",
            "claude-3-5-haiku-20241022": "claude-haiku-4.5",
            "claude-opus-4-1": "claude-opus-4.5",
            "claude-opus-4-1-20250805": "claude-opus-4.5",
            "claude-opus-4-0": "claude-opus-4.5",
            "claude-opus-4-20250514": "claude-opus-4.5",
            "claude-opus-4-5": "claude-opus-4.5",
        }.items():
            self.assertEqual(self.catalogue.resolve(name).name, target, name)

    def test_stand_ins_lead_to_known_models(self) -> None:
        """No stand-in points into the void."""
        names = {model.name for model in BUILT_IN}
        self.assertLessEqual(set(STAND_INS.values()), names)

    def test_opus_five_is_not_four_five(self) -> None:
        """Names that contain each other are kept apart."""
        self.assertEqual(self.catalogue.resolve("claude-opus-5").name, "claude-opus-5")
        self.assertEqual(self.catalogue.resolve("claude-opus-5[1m]").name, "claude-opus-5")
        self.assertEqual(self.catalogue.resolve("claude-opus-4-5").name, "claude-opus-4.5")

    def test_upper_case_ids(self) -> None:
        """The upstream's older ids are understood."""
        model = self.catalogue.resolve("CLAUDE_SONNET_4_20250514_V1_0")
        self.assertEqual(model.name, "claude-sonnet-4")

    def test_auto_is_auto(self) -> None:
        """Though another model may fall back on it, "auto" means itself."""
        self.assertEqual(self.catalogue.resolve("auto").name, "auto")
        only_haiku = Catalogue([model for model in BUILT_IN if model.name == "claude-haiku-4.5"])
        self.assertFalse(only_haiku.resolve("auto").known)

    def test_unknown_claude(self) -> None:
        """An unknown Claude is tried as the upstream would write it, then as it was given."""
        model = self.catalogue.resolve("claude-opus-5-5")
        self.assertFalse(model.known)
        self.assertEqual(model.candidates, ("claude-opus-5.5", "claude-opus-5-5"))
        self.assertEqual(model.window, DEFAULT_WINDOW)
        self.assertEqual(model.public, ())
        self.assertEqual(model.display, "claude-opus-5-5")

    def test_unknown_other(self) -> None:
        """Any other unknown name goes on unchanged."""
        for name in ("gpt-7-1-Mini", "CLAUDE_NEXT_V1_0", "kimi/k3", ""):
            model = self.catalogue.resolve(name)
            self.assertEqual((model.known, model.candidates), (False, (name,)))

    def test_find_unknown(self) -> None:
        """Finding does not invent."""
        self.assertIsNone(self.catalogue.find("gpt-4o"))

    def test_operator_aliases(self) -> None:
        """The operator's names win, may lead to one another and ignore case."""
        catalogue = Catalogue(
            aliases={"Fast": "cheap", "cheap": "claude-haiku-4-5", "claude-opus-4-1": "fast"}
        )
        self.assertEqual(catalogue.resolve("fast").name, "claude-haiku-4.5")
        self.assertEqual(catalogue.resolve("FAST").name, "claude-haiku-4.5")
        self.assertEqual(catalogue.resolve("claude-opus-4-1").name, "claude-haiku-4.5")

    def test_alias_to_unknown(self) -> None:
        """An alias to a name outside the table passes the alias's target on."""
        model = Catalogue(aliases={"next": "claude-opus-6"}).resolve("next")
        self.assertEqual(model.candidates, ("claude-opus-6",))

    def test_circular_aliases(self) -> None:
        """Aliases that chase each other end as an unknown name."""
        self.assertFalse(Catalogue(aliases={"a": "b", "b": "a"}).resolve("a").known)

    def test_fallback(self) -> None:
        """A configured fallback serves unknown names, and only those."""
        catalogue = Catalogue(fallback="claude-sonnet-4-5")
        self.assertEqual(catalogue.resolve("gpt-4o").name, "claude-sonnet-4.5")
        self.assertEqual(catalogue.resolve("claude-opus-5").name, "claude-opus-5")

    def test_fallback_outside_the_table(self) -> None:
        """The fallback itself may be a name that only the upstream knows."""
        catalogue = Catalogue(fallback="claude-opus-6-1")
        self.assertEqual(catalogue.resolve("gpt-4o").candidates[0], "claude-opus-6.1")

    def test_models_of_the_operator(self) -> None:
        """More models can be given; one of the same name replaces the built-in one."""
        own = Model("claude-opus-6", ("claude-opus-6",), ("claude-opus-6",), window=2_000_000)
        wider = Model("glm-5", ("glm-5",), ("glm-5",), window=400_000)
        catalogue = Catalogue((*BUILT_IN, own, wider))
        self.assertIs(catalogue.resolve("claude-opus-6-20270101"), own)
        self.assertEqual(catalogue.resolve("glm-5").window, 400_000)
        self.assertEqual(len(catalogue.listed()), len(BUILT_IN) + 1)


class ChooseTests(SynchronousTestCase):
    """The id that is sent."""

    def setUp(self) -> None:
        self.sonnet = Catalogue().resolve("claude-sonnet-4-5")

    def test_unknown_offer(self) -> None:
        """Without the account's list the dotted id is sent."""
        self.assertEqual(choose_upstream_id(self.sonnet, None), "claude-sonnet-4.5")

    def test_dotted_offered(self) -> None:
        """The dotted id is preferred over an older one that is offered as well."""
        offered = {"CLAUDE_SONNET_4_5_20250929_V1_0", "claude-sonnet-4.5"}
        self.assertEqual(choose_upstream_id(self.sonnet, offered), "claude-sonnet-4.5")

    def test_older_offered(self) -> None:
        """An account that only knows the older id gets that."""
        offered = ["auto", "CLAUDE_SONNET_4_5_20250929_V1_0"]
        expected = "CLAUDE_SONNET_4_5_20250929_V1_0"
        self.assertEqual(choose_upstream_id(self.sonnet, offered), expected)

    def test_not_offered(self) -> None:
        """Never another model instead: the upstream is asked for the one that was meant."""
        self.assertEqual(choose_upstream_id(self.sonnet, {"glm-5"}), "claude-sonnet-4.5")
        self.assertEqual(choose_upstream_id(self.sonnet, ()), "claude-sonnet-4.5")

    def test_haiku_falls_to_auto(self) -> None:
        """As in the predecessor, an account without Haiku lets the upstream pick."""
        haiku = Catalogue().resolve("claude-haiku-4-5-20251001")
        self.assertEqual(choose_upstream_id(haiku, {"auto"}), "auto")


class RememberedNamesTests(SynchronousTestCase):
    """Names are resolved once."""

    def test_same_model_again(self) -> None:
        """The same answer, whether remembered or not."""
        catalogue = Catalogue()
        first = catalogue.resolve("claude-sonnet-4-5-20250929")
        self.assertIs(catalogue.resolve("claude-sonnet-4-5-20250929"), first)

    def test_bounded(self) -> None:
        """Clients choose names, so neither many nor long ones are kept."""
        catalogue = Catalogue()
        catalogue.resolve("x" * 1000)
        for number in range(1100):
            self.assertEqual(catalogue.resolve(f"m{number}").name, f"m{number}")
        self.assertEqual(len(catalogue._resolved_names), 1000)
