"""Backups of one machine's state: the data file with its keys, there and back."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from croupier.adapters.sqlite import back_up, put_in_place
from croupier.config.errors import ConfigError

KEYS = ".keys"


class Backup(NamedTuple):
    """What a backup is made of; `keys` is None where they were left out, or are elsewhere."""

    data: Path
    keys: Path | None


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
    copied = _copy_keys(data, target) if keys else None
    try:
        back_up(data, target, show)
    except BaseException:
        if copied is not None:
            copied.unlink(missing_ok=True)
        raise
    return Backup(target, copied)


def restore(backup: Path, data: Path, aside: str) -> tuple[Backup, list[Path]]:
    """Put a backup in the place of `data`; what stood there is kept as `data` + `aside`.

    Keys are restored where the backup has some; else those that are there stay.
    """
    moved = put_in_place(backup, data, aside)
    saved, present = _keys_of(backup), _keys_of(data)
    if not saved.exists():
        return Backup(data, None), moved
    if present.exists() and present.read_bytes() != saved.read_bytes():
        moved.append(present.rename(data.with_name(f"{data.name}{aside}{KEYS}")))
    present.unlink(missing_ok=True)
    _copy_keys(backup, data)
    return Backup(data, present), moved


def _keys_of(data: Path) -> Path:
    return data.with_name(data.name + KEYS)


def _copy_keys(data: Path, target: Path) -> Path | None:
    source, copy = _keys_of(data), _keys_of(target)
    if not source.exists():
        return None
    try:
        handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with source.open("rb") as keys, os.fdopen(handle, "wb") as stream:
            shutil.copyfileobj(keys, stream)
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError as error:
        raise ConfigError(f"{copy}: exists already; name another file") from error
    except OSError as error:
        raise ConfigError(f"{copy}: {error.strerror}") from error
    return copy
