"""The small tables of croupier.toml: server, limits, log."""

import msgspec

from croupier.core.duration import DAY, MINUTE, SECOND


class Server(msgspec.Struct, frozen=True):
    """`[server]`: what a request may be, and from where. Sizes in bytes, times in milliseconds."""

    max_body: int = 1_048_576
    max_events: int = 10_000
    max_skew: int = MINUTE
    request_timeout: int = 10 * SECOND
    cors: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    open_metrics: bool = True
    insecure: bool = False


class LimitsTable(msgspec.Struct, frozen=True):
    """`[limits]`: how often one key or address may ask, such as "200/s"; None is as it likes."""

    decide: str | None = None
    events: str | None = None


class LogTable(msgspec.Struct, frozen=True):
    """`[log]`: how long records are kept, and ids of trials in PostgreSQL, milliseconds.

    None is for ever.
    """

    retention: int | None = None
    ids: int = 35 * DAY
