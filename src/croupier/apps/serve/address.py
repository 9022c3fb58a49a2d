"""Where a request comes from: its peer, or what a trusted proxy says of it."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from croupier.apps.serve.asgi import Scope

Network = IPv4Network | IPv6Network
_SITE = 64


def address_of(scope: Scope, proxies: Sequence[Network]) -> str:
    """The address to count by; of IPv6 the first 64 bits, for one site holds all the rest.

    `X-Forwarded-For` is believed only as far as trusted proxies wrote it: from the right, up to
    the first address that is none of theirs.

    >>> from ipaddress import ip_network
    >>> scope = {"client": ("10.0.0.9", 1), "headers": [(b"x-forwarded-for", b"6.6.6.6, 1.2.3.4")]}
    >>> address_of(scope, [ip_network("10.0.0.0/8")]), address_of(scope, [])
    ('1.2.3.4', '10.0.0.9')
    """
    found = (scope.get("client") or ("",))[0]
    if not proxies or not _within(found, proxies):
        return _site(found)
    said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    for hop in reversed(said.decode("latin-1").split(",")):
        address = hop.strip()
        if _read(address) is None:
            break
        found = address
        if not _within(address, proxies):
            break
    return _site(found)


def _within(address: str, networks: Sequence[Network]) -> bool:
    read = _read(address)
    return read is not None and any(read in network for network in networks)


@lru_cache(4_096)
def _site(address: str) -> str:
    read = _read(address)
    if isinstance(read, IPv6Address):
        return str(IPv6Network((read, _SITE), strict=False))
    return str(read) if read else address[:64]


def _read(address: str) -> object:
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (read.ipv4_mapped or read) if isinstance(read, IPv6Address) else read
