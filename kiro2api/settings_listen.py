# -*- test-case-name: tests.test_settings -*-
"""What a Twisted endpoint string says about who can reach it.

Pure: the string is judged, nothing is opened. Must not know what is served there.
"""

from ipaddress import ip_address


def loopback_only(listen: str) -> bool:
    """Whether only programs on this machine can connect.

    True for ``unix:`` and for ``tcp:``, ``tcp6:`` and ``ssl:`` bound to a loopback address or
    ``localhost``. Whatever cannot be judged for certain, an inherited socket included, is False.
    """
    kind, *pieces = _pieces(listen)
    if kind == "unix":
        return bool(pieces and pieces[0])
    if kind not in ("tcp", "tcp6", "ssl"):
        return False
    interfaces = [piece[len("interface=") :] for piece in pieces if piece.startswith("interface=")]
    # Twisted also takes the interface of tcp by position, after the port.
    if kind == "tcp" and not interfaces and len(pieces) > 1:
        interfaces = [pieces[1]]
    return len(interfaces) == 1 and _loopback(interfaces[0])


def _loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _pieces(listen: str) -> list[str]:
    """The parts between colons; a backslash takes the next character literally."""
    pieces = [""]
    characters = iter(listen)
    for character in characters:
        if character == ":":
            pieces.append("")
        else:
            pieces[-1] += next(characters, "") if character == "\\" else character
    return pieces
