"""Where a server is: http or https, a host, and nothing that is secret."""

from urllib.parse import SplitResult, urlsplit


def server_of(url: str) -> SplitResult:
    """The parts of a server's URL; ValueError, without a password that may be in it, for no such.

    >>> server_of("https://shop.example:8443/croupier/").port
    8443
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, or half a bracket
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment:
        got = ", without a user or a password" if "@" in url else f", got {url!r}"
        raise ValueError(f"expected http://host:port or https://host:port{got}")
    return parts
