"""Which addresses may be connected to."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.media.addresses import Place, chosen, is_public, place_of
from kiro2api.media.limits import Unreadable

PUBLIC = (
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255",
    "100.128.0.0", "169.253.255.255", "192.167.255.255", "198.17.255.255", "223.255.255.255",
    "2606:4700::1111", "2a00:1450:4001:801::200e", "2001:4860:4860::8888",
)  # fmt: skip
INNER = (
    # this machine, in every form
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::", "::ffff:127.0.0.1",
    "::ffff:7f00:1", "::127.0.0.1",
    # private, carriers', link-local, with what clouds tell their machines
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
    "100.100.100.200", "100.127.255.255", "169.254.169.254", "169.254.170.2", "168.63.129.16",
    "192.0.0.192", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "fdff::1",
    # one address in the dress of another
    "::ffff:10.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1",
    "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "::a00:1",
    # multicast, broadcast, examples, measurements, the future
    "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.51.100.1",
    "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1", "ff02::1", "ff0e::1",
    "2001:db8::1", "3fff::1", "2001:10::1", "4000::1",
    # no addresses
    "", "localhost", "127.1", "0x7f.1", "2130706433", "1.1.1", "8.8.8.8%1", "[::1]",
)  # fmt: skip


class AddressTests(SynchronousTestCase):
    """The table."""

    def test_public(self) -> None:
        """Machines that everybody may reach."""
        for address in PUBLIC:
            self.assertTrue(is_public(address), address)

    def test_inner(self) -> None:
        """All others."""
        for address in INNER:
            self.assertFalse(is_public(address), address)

    @settings(max_examples=100)
    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
    def test_never_more_than_the_standard_library(self, four: int, six: int) -> None:
        """What Python takes for private is never public here."""
        for address in (IPv4Address(four), IPv6Address(six)):
            if is_public(str(address)):
                self.assertTrue(address.is_global and not address.is_multicast, address)

    def test_chosen(self) -> None:
        """One inner address spoils all; IPv4 is preferred."""
        self.assertEqual(chosen(["2606:4700::1111", "1.1.1.1"]), "1.1.1.1")
        self.assertEqual(chosen(["2606:4700::1111"]), "2606:4700::1111")
        for addresses in (["1.1.1.1", "127.0.0.1"], ["::1", "1.1.1.1"], ["10.0.0.1"]):
            error = self.assertRaises(Unreadable, chosen, addresses)
            self.assertEqual(error.reason, "its host is not on the public network")
        error = self.assertRaises(Unreadable, chosen, [])
        self.assertEqual(error.reason, "its host is not known")


class PlaceTests(SynchronousTestCase):
    """URLs."""

    def test_good(self) -> None:
        """What is asked for."""
        for url, asked, host in (
            ("https://a.example/b.png?x&y=%20#f", "https://a.example/b.png?x&y=%20", "a.example"),
            ("HTTPS://A.Example:443", "https://a.example/", "a.example"),
            (" https://a.example/x\n", "https://a.example/x", "a.example"),
            ("https://a.example/é ü", "https://a.example/%C3%A9%20%C3%BC", "a.example"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
            ("https://[2606:4700::1]/x", "https://[2606:4700::1]/x", "2606:4700::1"),
            ("https://127.1/", "https://127.1/", "127.1"),
        ):  # fmt: skip
            self.assertEqual(place_of(url), Place(asked, host), url)

    def test_relative(self) -> None:
        """A redirect may leave out what stays the same."""
        base = "https://a.example/b/c?d"
        for location, asked in (
            ("e", "https://a.example/b/e"),
            ("/e?f", "https://a.example/e?f"),
            ("//g.example/h", "https://g.example/h"),
            ("", base),
        ):
            self.assertEqual(place_of(location, base).url, asked)

    def test_bad(self) -> None:
        """What is not asked for."""
        for url, reason in (
            ("http://a.example/", "only https addresses are fetched"),
            ("file:///etc/passwd", "only https addresses are fetched"),
            ("ftp://a.example/", "only https addresses are fetched"),
            ("gopher://a.example/", "only https addresses are fetched"),
            ("a.example/b", "only https addresses are fetched"),
            ("https://a.example:8443/", "only port 443 is fetched from"),
            ("https://a.example:22/", "only port 443 is fetched from"),
            ("https://a.example:0/", "only port 443 is fetched from"),
            ("https://a.example:99999/", "its address is not valid"),
            ("https://a.example:x/", "its address is not valid"),
            ("https:///x", "its address is not valid"),
            ("https://[::1/", "its address is not valid"),
            ("https://[fe80::1%25eth0]/", "its address is not valid"),
            ("https://user:pass@a.example/", "its address holds a user name"),
            ("https://a.example@127.0.0.1/", "its address holds a user name"),
            ("https://" + "a" * 9000, "its address is too long"),
            ("https://" + "\u00fc" * 70 + ".example/", "its address is not valid"),
        ):
            error = self.assertRaises(Unreadable, place_of, url)
            self.assertEqual(error.reason, reason, url)

    @settings(max_examples=100)
    @given(st.text(max_size=40))
    def test_nothing_that_breaks_a_request(self, rest: str) -> None:
        """No blank and no line end comes into a request line, whatever is in a URL."""
        try:
            place = place_of("https://a.example/" + rest)
        except Unreadable:
            return
        self.assertTrue(place.url.isascii() and place.url.isprintable() and " " not in place.url)
        self.assertEqual(place.host, "a.example")
