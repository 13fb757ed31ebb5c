"""Which models a key is for."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.models import Catalogue
from kiro2api.web.gate_models import CatalogueNaming, ModelRule, PlainNaming


class PlainRuleTests(SynchronousTestCase):
    """Names that mean themselves."""

    def rule(self, *patterns: str) -> ModelRule:
        """A rule."""
        return ModelRule(patterns, PlainNaming())

    def test_no_patterns(self) -> None:
        """Allow everything."""
        self.assertTrue(self.rule().allows("anything"))

    def test_names_and_patterns(self) -> None:
        """Whole names, in any case; one of several is enough."""
        rule = self.rule("claude-sonnet-*", "GPT-5", "qwen[34]")
        for name in ("claude-sonnet-4.5", "Claude-Sonnet-", "gpt-5", "QWEN3"):
            self.assertTrue(rule.allows(name), name)
            self.assertTrue(rule.allows(name), name)
        for name in ("claude-opus-4.5", "x-claude-sonnet-4", "gpt-5-mini", "qwen5", ""):
            self.assertFalse(rule.allows(name), name)

    def test_memory_is_bounded(self) -> None:
        """Clients choose the names that are remembered."""
        rule = self.rule("a*")
        for number in range(1000):
            self.assertTrue(rule.allows(f"a{number}"))
        self.assertTrue(rule.allows("a" * 100_000))
        self.assertLessEqual(len(rule._known), 256)
        self.assertLessEqual(max(map(len, rule._known)), 200)


class CatalogueRuleTests(SynchronousTestCase):
    """Names as the catalogue knows them."""

    def test_spellings(self) -> None:
        """A name allows the model in each of its spellings, and no other model."""
        naming = CatalogueNaming(Catalogue())
        for pattern in ("claude-sonnet-4.5", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"):
            rule = ModelRule((pattern,), naming)
            for name in ("claude-sonnet-4.5", "claude-sonnet-4-5-20250929", "CLAUDE-SONNET-4-5"):
                self.assertTrue(rule.allows(name), (pattern, name))
            self.assertFalse(rule.allows("claude-opus-4.5"))
            self.assertFalse(rule.allows("claude-sonnet-4"))

    def test_alias_is_no_way_around(self) -> None:
        """An alias is what it stands for, whatever it is called."""
        naming = CatalogueNaming(Catalogue(aliases={"claude-sonnet-x": "claude-opus-4.5"}))
        self.assertFalse(ModelRule(("claude-sonnet-*",), naming).allows("claude-sonnet-x"))
        self.assertTrue(ModelRule(("claude-opus-*",), naming).allows("claude-sonnet-x"))
        self.assertTrue(ModelRule(("claude-sonnet-x",), naming).allows("claude-opus-4.5"))

    def test_fallback(self) -> None:
        """Whoever would get the fallback must be allowed it; a misspelt rule does not allow it."""
        naming = CatalogueNaming(Catalogue(fallback="claude-opus-4.5"))
        self.assertFalse(ModelRule(("claude-sonnet-*",), naming).allows("no-such-model"))
        self.assertTrue(ModelRule(("claude-opus-*",), naming).allows("no-such-model"))
        self.assertFalse(ModelRule(("claude-sonet",), naming).allows("claude-opus-4.5"))

    def test_unknown_model(self) -> None:
        """A model that only the upstream knows is allowed by its own name."""
        rule = ModelRule(("brand-new", "very-*"), CatalogueNaming(Catalogue()))
        self.assertTrue(rule.allows("brand-new"))
        self.assertTrue(rule.allows("very-new"))
        self.assertFalse(rule.allows("other"))
