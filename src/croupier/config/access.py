"""Who may come in: API keys, origins, rates and proxies, as settings say."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from ipaddress import ip_network
from typing import Any

from croupier.apps.serve.gate import Access
from croupier.config.errors import ConfigError
from croupier.config.fields import named_tables, usable_fields
from croupier.config.tables import LimitsTable, Server
from croupier.core.api_key import SCOPES, ApiKey, usable_digest
from croupier.core.buckets import parse_rate
from croupier.core.name import usable_name

API_KEYS = "CROUPIER_API_KEYS"
_ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_RESERVED = ("config", "api", "replay")


def read_access(server: Server, limits: LimitsTable, keys: tuple[ApiKey, ...]) -> Access:
    """What the gate asks; the settings have been checked."""
    return Access(
        keys=keys,
        origins=server.cors,
        decide=parse_rate(limits.decide) if limits.decide else None,
        events=parse_rate(limits.events) if limits.events else None,
        proxies=tuple(ip_network(each) for each in server.trusted_proxies),
        open_metrics=server.open_metrics,
    )


def read_api_keys(tables: Any, file: str, problems: list[str]) -> tuple[ApiKey, ...]:
    """The keys of `[[api_key]]`; every unusable one is named in `problems`."""
    found = []
    for where, fields in named_tables(tables, "api_key", file, problems):
        if "expires" in fields:
            fields["expires"] = _moment(fields["expires"], f"{where}: expires", problems)
        values = usable_fields(fields, ApiKey, where, problems)
        if {"name", "scopes", "digest"} <= values.keys():
            key = ApiKey(**values)
            problems += (f"{where}: {problem}" for problem in key_problems(key))
            found.append(key)
    return tuple(found)


def keys_of_environment(
    environment: Mapping[str, str], declared: tuple[ApiKey, ...]
) -> tuple[ApiKey, ...]:
    """The declared keys and those of CROUPIER_API_KEYS, `name:scope+scope:sha256:hex,…`."""
    found, problems = list(declared), []
    for part in filter(None, map(str.strip, environment.get(API_KEYS, "").split(","))):
        name, _, rest = part.partition(":")
        scopes, _, digest = rest.partition(":")
        if not usable_digest(digest) or set(scopes.split("+")) - set(SCOPES):
            problems.append(f'{API_KEYS}: expected "name:scope+scope:sha256:hex,…"')
            continue
        key = ApiKey(name, tuple(scope for scope in SCOPES if scope in scopes.split("+")), digest)
        problems += [f"{API_KEYS}: {name[:64]!r}: {problem}" for problem in key_problems(key)]
        found.append(key)
    problems += [f"{API_KEYS}: {problem}" for problem in _twice(found)]
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def access_problems(
    server: Server, limits: LimitsTable, keys: tuple[ApiKey, ...], declared: Collection[str]
) -> Iterator[str]:
    """What is wrong with keys among each other, origins, proxies and rates."""
    yield from (f"api_key: {problem}" for problem in _twice(keys))
    for key in keys:
        for name in sorted(set(key.experiments or ()) - set(declared)):
            yield f'api_key "{key.name}": experiments: {name!r} is not declared'
    for origin in server.cors:
        if not _ORIGIN.fullmatch(origin):
            yield f'server: cors: expected such as "https://shop.example", got {origin!r}'
    yield from _unreadable("server: trusted_proxies", server.trusted_proxies, ip_network)
    yield from _unreadable("limits: decide", [limits.decide or "1/s"], parse_rate)
    yield from _unreadable("limits: events", [limits.events or "1/s"], parse_rate)


def _unreadable(where: str, texts: Iterable[str], read: Callable[[str], object]) -> Iterator[str]:
    for text in texts:
        try:
            read(text)
        except ValueError as error:
            yield f"{where}: {error}"


def _twice(keys: Any) -> Iterator[str]:
    for what in ("name", "digest"):
        values = [getattr(key, what) for key in keys]
        if len(set(values)) < len(values):
            yield f"two keys have the same {what}"


def key_problems(key: ApiKey) -> Iterator[str]:
    """Why a key cannot be used."""
    if not usable_name(key.name) or key.name in _RESERVED:
        yield f"name: expected 1 to 64 letters, digits, '.', '_' or '-', and none of {_RESERVED}"
    if not key.scopes or len(set(key.scopes)) < len(key.scopes):
        yield f"scopes: expected some of {', '.join(SCOPES)}, each once"
    if not usable_digest(key.digest):  # it may be the key itself: it is not repeated here
        yield 'digest: expected "sha256:" and 64 hex digits, as `croupier key new` prints it'


def _moment(value: Any, where: str, problems: list[str]) -> int | None:
    """Milliseconds since 1970 of a TOML date or time; a date without a zone is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        problems.append(f"{where}: expected a date such as 2027-01-31")
        return 0  # a key whose end cannot be read is over
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
