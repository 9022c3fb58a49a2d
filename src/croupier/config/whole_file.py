"""A small file that is put in its place whole, or not at all."""

import os
import secrets
from pathlib import Path

from croupier.config.errors import ConfigError


def put_whole(path: Path, content: bytes, *, mode: int = 0o666, over: bool = False) -> None:
    """Write a draft beside `path`, sync it, and move it there; else ConfigError, and nothing left.

    Unless `over`, a file that is there is never written over. A device or a pipe takes the content
    as it comes: nothing is put in its place.
    """
    try:
        if over and path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _put(path, content, mode, over=over)
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; name another file") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error


def _put(path: Path, content: bytes, mode: int, *, over: bool) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path) if over else os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
