"""Tests for kiro2api.upstream.listings."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import ProtocolViolation
from kiro2api.upstream.interfaces import OfferedModel
from kiro2api.upstream.listings import OfferedProfile, parse_models, parse_profiles


class ModelsTests(SynchronousTestCase):
    """ListAvailableModels."""

    def test_entry(self) -> None:
        """What we use of an entry; unknown keys are passed over."""
        models, token = parse_models(
            b'{"models":[{"modelId":"m","modelName":"M","rateMultiplier":2.2,"new":{},'
            b'"supportedInputTypes":["TEXT","IMAGE"],'
            b'"tokenLimits":{"maxInputTokens":1000000,"maxOutputTokens":6.4e4}}],'
            b'"defaultModel":{"modelId":"auto"},"nextToken":"n"}'
        )
        self.assertEqual(models, [OfferedModel("m", "M", 1_000_000, 64_000, ("TEXT", "IMAGE"))])
        self.assertEqual(token, "n")

    def test_odd_entries(self) -> None:
        """An entry that makes no sense is left out, its neighbours stay; limits without sense
        count as unknown."""
        models, token = parse_models(
            b'{"models":[7,{"modelId":null},{"modelId":""},{"name":"x"},'
            b'{"modelId":"a","tokenLimits":null,"modelName":null,"supportedInputTypes":null},'
            b'{"modelId":"b","tokenLimits":{"maxInputTokens":-1,"maxOutputTokens":1e300}}],'
            b'"nextToken":null}'
        )
        self.assertEqual(models, [OfferedModel("a"), OfferedModel("b")])
        self.assertEqual(token, "")

    def test_fields_schema(self) -> None:
        """Kept as JSON text; what is no object, or huge, is none."""
        for schema, kept in (
            (b'{"type": "object"}', b'{"type": "object"}'),
            (b"null", b""),
            (b"[1]", b""),
            (b'{"x":"%s"}' % (b"y" * 70_000), b""),
        ):
            body = b'{"models":[{"modelId":"m","additionalModelRequestFieldsSchema":%b}]}' % schema
            (model,), _ = parse_models(body)
            self.assertEqual(model.fields_schema, kept)

    def test_caching(self) -> None:
        """Whether there is a prompt cache, how many points it takes and from where on, as far as it
        is said."""
        for told, expected in (
            (b'{"supportsPromptCaching":true,"maximumCacheCheckpointsPerRequest":4}', (True, 4, 0)),
            (b'{"supportsPromptCaching":true,"minimumTokensPerCacheCheckpoint":9}', (True, 0, 9)),
            (b'{"supportsPromptCaching":false}', (False, 0, 0)),
            (b"{}", (False, 0, 0)),
            (b"null", (False, 0, 0)),
        ):
            (model,), _ = parse_models(b'{"models":[{"modelId":"m","promptCaching":%b}]}' % told)
            found = (model.supports_caching, model.max_checkpoints, model.min_checkpoint_tokens)
            self.assertEqual(found, expected, told)

    def test_nothing(self) -> None:
        """No list at all is an empty one."""
        for body in (b"{}", b'{"models":null}'):
            self.assertEqual(parse_models(body), ([], ""))

    def test_no_page(self) -> None:
        """What is no page is refused, without its text."""
        for body in (b"", b"[]", b'{"models":"secret"}', b'{"models":[}', b"\xff", b"[" * 99_999):
            error = self.assertRaises(ProtocolViolation, parse_models, body)
            self.assertNotIn("secret", str(error))
            self.assertIsNone(error.__cause__)


class ProfilesTests(SynchronousTestCase):
    """ListAvailableProfiles."""

    def test_entries(self) -> None:
        """Profiles with what is known of them; one without an ARN is left out."""
        profiles, token = parse_profiles(
            b'{"profiles":[{"arn":"1","profileName":"P","profileType":"KIRO","status":"ACTIVE"},'
            b'{"arn":""},{"profileName":"Q"},{"arn":"2"}]}'
        )
        self.assertEqual(
            profiles, [OfferedProfile("1", "P", "KIRO", "ACTIVE"), OfferedProfile("2")]
        )
        self.assertEqual(token, "")
