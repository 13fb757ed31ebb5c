"""Random ids."""

import uuid

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.ids import Ids


class IdsTests(SynchronousTestCase):
    """Shape, freshness and thrift."""

    def test_uuid(self) -> None:
        """A well-formed UUID of version 4, whatever the digits."""
        for byte in range(256):
            text = Ids(lambda count, byte=byte: bytes([byte]) * count).uuid()  # type: ignore[misc]
            parsed = uuid.UUID(text)
            self.assertEqual((str(parsed), parsed.version), (text, 4))
            self.assertEqual(parsed.variant, uuid.RFC_4122)

    def test_hex(self) -> None:
        """24 hex digits."""
        self.assertRegex(Ids().hex(), "^[0-9a-f]{24}$")

    def test_never_twice(self) -> None:
        """Also across the pieces that entropy comes in."""
        ids = Ids()
        made = [ids.hex() for _ in range(2000)] + [ids.uuid() for _ in range(2000)]
        self.assertEqual(len(set(made)), 4000)

    def test_thrift(self) -> None:
        """Entropy is asked for rarely."""
        asked: list[int] = []

        def entropy(count: int) -> bytes:
            asked.append(count)
            return bytes(count)

        ids = Ids(entropy)
        for _ in range(100):
            ids.hex()
        self.assertEqual(len(asked), 1)
