"""Tests of the secret that cannot be printed."""

import copy
import json
import pickle

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.redaction import Secret

CANARY = "canary-5f3a"


class Holder(msgspec.Struct):
    token: Secret


class SecretTests(SynchronousTestCase):
    """Nothing but reveal() gives the secret away."""

    def setUp(self) -> None:
        self.secret = Secret(CANARY)

    def test_reveal(self) -> None:
        """The one way to read it."""
        self.assertEqual(self.secret.reveal(), CANARY)

    def test_never_shown(self) -> None:
        """No way of making a text of it shows it, nor of what holds it."""
        for shown in (
            str(self.secret),
            repr(self.secret),
            f"{self.secret}",
            f"{self.secret:>40}",
            f"{self.secret!r}",
            "%s %r" % (self.secret, [self.secret]),  # noqa: UP031
            "{}".format(self.secret),  # noqa: UP032
            repr({"k": self.secret}),
            repr(Holder(self.secret)),
            str(ValueError(self.secret)),
        ):
            self.assertNotIn(CANARY, shown)
            self.assertTrue("<secret>" in shown)

    def test_never_serialised(self) -> None:
        """No encoder takes it."""
        self.assertRaises(TypeError, pickle.dumps, self.secret)
        self.assertRaises(TypeError, json.dumps, self.secret)
        self.assertRaises(TypeError, msgspec.json.encode, Holder(self.secret))
        self.assertNotIsInstance(self.secret, str)

    def test_never_in_attributes(self) -> None:
        """There is no dictionary of attributes to print."""
        self.assertRaises(TypeError, vars, self.secret)

    def test_equality(self) -> None:
        """Equal by what it holds, never equal to a text."""
        self.assertEqual(self.secret, Secret(CANARY))
        self.assertNotEqual(self.secret, Secret("other"))
        self.assertNotEqual(self.secret, CANARY)
        self.assertEqual(len({self.secret, Secret(CANARY)}), 1)
        self.assertNotEqual(hash(self.secret), hash(CANARY))

    def test_matches(self) -> None:
        """Compares with what somebody presents, in any script."""
        self.assertTrue(self.secret.matches(CANARY))
        self.assertFalse(self.secret.matches(CANARY + "x"))
        self.assertFalse(self.secret.matches(""))
        self.assertTrue(Secret("ключ").matches("ключ"))

    def test_truth(self) -> None:
        """An empty secret is none."""
        self.assertTrue(self.secret)
        self.assertFalse(Secret(""))

    def test_copies(self) -> None:
        """Copying a value that holds it keeps it."""
        self.assertIs(copy.copy(self.secret), self.secret)
        self.assertIs(copy.deepcopy([self.secret])[0], self.secret)
