"""Who can reach a server: this machine only, or others too; and what that takes."""

from collections.abc import Iterator
from ipaddress import ip_address

from croupier.config.errors import ConfigError
from croupier.config.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_open_doors(settings: Settings, host: str, *, insecure: bool) -> None:
    """ConfigError when others could come in and nobody would be asked for a key."""
    if is_loopback(host) or settings.api_keys or insecure or settings.server.insecure:
        return
    raise ConfigError(
        f"host {host} can be reached from outside, and no API key is configured: anybody could "
        "decide and change arms. Make keys with `croupier key new --scope decide --name web`, or, "
        "where a gateway of your own guards it, say --insecure"
    )


def exposures(settings: Settings, host: str, now: int) -> Iterator[tuple[bool, str]]:
    """What the doors are protected by: whether each is in order, and in words."""
    keys, limits = settings.api_keys, settings.limits
    if not keys:
        outside = not is_loopback(host)
        insecure = settings.server.insecure
        yield (
            not (outside or insecure),
            f"no API key is configured: open to whoever reaches {host}"
            + ("" if outside or insecure else ", which is this machine only"),
        )
    for key in keys:
        over = key.expires is not None and key.expires <= now
        scopes = ", ".join(key.scopes)
        yield not over, f"API key {key.name}: {scopes}" + (", has expired" if over else "")
    if not is_loopback(host) and not (limits.decide and limits.events):
        yield False, f"{host} can be reached from outside, and [limits] leaves rates unlimited"
