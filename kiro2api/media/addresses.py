# -*- test-case-name: tests.media.test_addresses -*-
"""Which addresses of a client's choice may be connected to: public ones on the standard port.

Pure. Must not know how names are resolved or connections made.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from kiro2api.media.limits import Unreadable

_PORT: Final = 443
_LONGEST: Final = 8192
# What a URL may hold as it stands; everything else is written as %XX.
_KEPT: Final = "%/:?#[]@!$&'()*+,;=-._~"

_FORBIDDEN_4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; some systems take it for this machine
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' and clouds' inner networks
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's service for its own machines
        "169.254.0.0/16",  # with the metadata services of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # with the broadcast address
    )
)
# Only what is given out to the public; within it, what leads back to an IPv4 address or nowhere.
# So loopback, mapped, unique local, link-local, multicast and translated ones are all refused.
_PUBLIC_6: Final = IPv6Network("2000::/3")
_FORBIDDEN_6: Final = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


class Place(NamedTuple):
    """Where a URL leads: ``host`` as a name or an address without brackets."""

    url: str
    host: str


def place_of(url: str, base: str = "") -> Place:
    """Understand a URL; ``base`` is the one that led to it.

    :raises Unreadable: one that is not fetched.
    """
    try:
        if len(url) > _LONGEST:
            raise Unreadable("its address is too long")
        parts = urlsplit(quote(urljoin(base, url.strip()), safe=_KEPT))
        host, port, user = parts.hostname or "", parts.port, parts.username
        if not host.isascii() or "%" in host:
            host = urlsplit(url.strip()).hostname or ""
            host = host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one, too
        raise Unreadable("its address is not valid") from None
    if parts.scheme != "https":
        raise Unreadable("only https addresses are fetched")
    if not host or "%" in host:
        raise Unreadable("its address is not valid")
    if port not in (None, _PORT):
        raise Unreadable(f"only port {_PORT} is fetched from")
    if user is not None:
        raise Unreadable("its address holds a user name")
    shown = f"[{host}]" if ":" in host else host
    query = f"?{parts.query}" if parts.query else ""
    return Place(f"https://{shown}{parts.path or '/'}{query}", host)


def is_public(address: str) -> bool:
    """Whether this is the address of a machine that everybody may reach."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if parsed.version == 4:
        return not any(parsed in network for network in _FORBIDDEN_4)
    if parsed not in _PUBLIC_6:
        return False
    return not any(parsed in network for network in _FORBIDDEN_6)


def chosen(addresses: Sequence[str]) -> str:
    """The address to connect to, of all that a name has.

    A name with any address that is not public is refused as a whole: it serves no honest end.

    :raises Unreadable: there is none, or it is not public.
    """
    if not addresses:
        raise Unreadable("its host is not known")
    if not all(is_public(address) for address in addresses):
        raise Unreadable("its host is not on the public network")
    return next((address for address in addresses if ":" not in address), addresses[0])
