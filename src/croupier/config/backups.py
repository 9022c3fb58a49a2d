"""Backups of one machine's state: the data file with its keys, there and back."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from croupier.adapters.sqlite import back_up, put_in_place
from croupier.config.errors import ConfigError
from croupier.config.whole_file import put_whole

KEYS = ".keys"


class Backup(NamedTuple):
    """What a backup is made of; `keys` is None where they were left out, or are elsewhere."""

    data: Path
    keys: Path | None


class Restored(NamedTuple):
    """What was put back, and set aside: `keys` are those that are there now, if there are any.

    `own` says whether they are the backup's.
    """

    data: Path
    keys: Path | None
    own: bool
    aside: list[Path]


def make_backup(
    data: Path, to: Path, *, keys: bool, show: Callable[[int, int], None] = lambda *_: None
) -> Backup:
    """Copy data and keys beside a running ring; into `to`, or under that name if it is a folder.

    The keys are copied before the data, so that a copy is never without the keys it needs.
    Raises DataFileError or ConfigError, and leaves nothing that is half.
    """
    if not data.exists():
        raise ConfigError(f"{data}: no such data file")
    target = to / data.name if to.is_dir() else to
    if not target.parent.is_dir():
        raise ConfigError(f"{target.parent}: no such folder")
    copied = None
    if keys and (secret := _read_keys(data)) is not None:
        copied = _keys_of(target)
        put_whole(copied, secret, mode=0o600)
    try:
        back_up(data, target, show)
    except BaseException:
        if copied is not None:
            copied.unlink(missing_ok=True)
        raise
    return Backup(target, copied)


def restore(backup: Path, data: Path, aside: str) -> Restored:
    """Put a backup in the place of `data`; what stood there is kept as `data` + `aside`.

    Keys are restored where the backup has some; else those that are there stay. There is no moment
    without keys. A name that is taken is not taken again. Raises DataFileError or ConfigError.
    """
    if backup.exists() and data.exists() and backup.samefile(data):
        raise ConfigError(f"{backup}: is the data file itself, nothing is restored; name a backup")
    saved, present, name = _read_keys(backup), _read_keys(data), aside
    for number in count(2):
        if not any(data.with_name(f"{data.name}{aside}{each}").exists() for each in ("", KEYS)):
            break
        aside = f"{name}-{number}"
    moved = put_in_place(backup, data, aside)
    keys = _keys_of(data)
    if saved is not None and saved != present:
        if present is not None:
            moved.append(data.with_name(f"{data.name}{aside}{KEYS}"))
            put_whole(moved[-1], present, mode=0o600)
        put_whole(keys, saved, mode=0o600, over=True)
    return Restored(data, keys if keys.exists() else None, saved is not None, moved)


def _keys_of(data: Path) -> Path:
    return data.with_name(data.name + KEYS)


def _read_keys(data: Path) -> bytes | None:
    """What the keys file beside `data` holds; None where there is none."""
    file = _keys_of(data)
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
