"""A copy of the open stories, in a list."""

from collections.abc import Iterable


class MemoryStories:
    """OpenStories in a list."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def save(self, chunks: Iterable[bytes]) -> None:
        """Keep a copy of the open stories."""
        self._chunks = list(chunks)

    def load(self) -> list[bytes]:
        """The chunks of that copy."""
        return self._chunks
