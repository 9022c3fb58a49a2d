"""The secrets: keys that sign tokens, and the key that hides units."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from croupier.config.backends import data_file
from croupier.config.errors import ConfigError
from croupier.config.whole_file import put_whole

TOKEN_KEYS, UNIT_KEY = "CROUPIER_TOKEN_KEYS", "CROUPIER_UNIT_KEY"
_LEAST = 16


class Keys(msgspec.Struct, frozen=True):
    """Token keys by id (the highest signs, all verify), and the unit-hash key."""

    token: dict[int, bytes]
    unit: bytes

    def __repr__(self) -> str:
        return f"Keys(token keys {', '.join(map(str, self.token))}; secret)"


def load_keys(data: Path, environment: Mapping[str, str], *, renew: bool = False) -> Keys:
    """Keys from the environment or from `<data>.keys`, which is made on the first start.

    ConfigError when they are unusable, or gone although there is data that they belong to.
    """
    file = data.with_name(data.name + ".keys")
    if TOKEN_KEYS in environment or UNIT_KEY in environment:
        return _from_environment(environment)
    if file.exists():
        return _from_file(file)
    if data.exists() and not renew:
        raise ConfigError(
            f"{file}: missing, though {data} exists. Restore it from a backup; or start with "
            "--new-keys: open tokens are then refused, and units are drawn anew"
        )
    keys = Keys({1: secrets.token_bytes(32)}, secrets.token_bytes(32))
    _write(file, keys)
    return keys


def read_keys(place: str | Path, environment: Mapping[str, str]) -> Keys:
    """The keys of data (its URL) or of servers (their file): never made, never renewed.

    ConfigError when there are none, or they are unusable.
    """
    if TOKEN_KEYS in environment or UNIT_KEY in environment:
        return _from_environment(environment)
    if isinstance(place, Path):
        return _from_file(place)
    data = data_file(place)
    return _from_file(data.with_name(data.name + ".keys"))


def load_shared_keys(file: Path, environment: Mapping[str, str]) -> Keys:
    """Keys that several servers share: from the environment, or from a file, made once."""
    if TOKEN_KEYS in environment or UNIT_KEY in environment:
        return _from_environment(environment)
    if not file.exists():
        try:
            _write(file, Keys({1: secrets.token_bytes(32)}, secrets.token_bytes(32)))
        except ConfigError:
            if not file.exists():  # else another server was first
                raise
    return _from_file(file)


def _from_environment(environment: Mapping[str, str]) -> Keys:
    problems = []
    token: dict[int, bytes] = {}
    for part in environment.get(TOKEN_KEYS, "").split(","):
        key_id, _, key = part.strip().partition(":")
        try:
            number = _number(key_id)
            if number in token:
                problems.append(f"{TOKEN_KEYS}: key {number} is given twice")
            token[number] = _usable(key)
        except ValueError as error:
            problems.append(f'{TOKEN_KEYS}: expected "1:hex,2:hex", {error}')
    unit = b""
    try:
        unit = _usable(environment.get(UNIT_KEY, ""))
    except ValueError as error:
        problems.append(f"{UNIT_KEY}: expected hex, {error}")
    if problems:
        raise ConfigError(*problems)
    return Keys(token, unit)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 255:
        raise ValueError("the number of a key must be from 1 to 255")
    return int(text)


def _usable(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise ValueError("found something that is not hex") from None
    if not _LEAST <= len(key) <= 64:
        raise ValueError(f"at least {_LEAST} and at most 64 bytes")
    return key


def _from_file(file: Path) -> Keys:
    try:
        found = json.loads(file.read_text())
        token = {_number(key_id): _usable(key) for key_id, key in found["token"].items()}
        unit = _usable(found["unit"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(f"{file}: not a keys file: {error}") from error
    except RecursionError:
        raise ConfigError(f"{file}: not a keys file: nested too deeply") from None
    if not token:
        raise ConfigError(f"{file}: not a keys file: it holds no token key")
    return Keys(token, unit)


def _write(file: Path, keys: Keys) -> None:
    text = json.dumps(
        {"token": {str(i): key.hex() for i, key in keys.token.items()}, "unit": keys.unit.hex()}
    )
    put_whole(file, f"{text}\n".encode(), mode=0o600)
