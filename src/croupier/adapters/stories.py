"""The open stories in a file: checksummed frames, moved into place when whole."""

import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from croupier.ports import UnavailableError

_FRAME = struct.Struct(">II")
_END = 0xFFFFFFFF


class StoryFile:
    """OpenStories in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, chunks: Iterable[bytes]) -> None:
        """Write a draft beside the file, then move it into place."""
        draft = self._path.with_name(self._path.name + ".draft")
        try:
            with draft.open("wb") as file:
                for chunk in chunks:
                    file.write(_FRAME.pack(len(chunk), zlib.crc32(chunk)) + chunk)
                file.write(_FRAME.pack(_END, _END))
            draft.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise UnavailableError(f"{draft}: {error.strerror or error}") from error

    def load(self) -> list[bytes]:
        """The frames of the file; empty when it is missing, cut short or damaged."""
        chunks: list[bytes] = []
        try:
            with self._path.open("rb") as file:
                while True:
                    length, checksum = _FRAME.unpack(file.read(_FRAME.size))
                    if length == _END:
                        whole = checksum == _END and not file.read(1)
                        return chunks if whole else []
                    chunk = file.read(length)
                    if zlib.crc32(chunk) != checksum or len(chunk) != length:
                        return []
                    chunks.append(chunk)
        except (OSError, struct.error):
            return []
