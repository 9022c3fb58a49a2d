"""Which partitions of a topic one of several like processes handles."""

from collections.abc import Collection
from typing import NamedTuple, Self


class Share(NamedTuple):
    """The `number`-th of `of` processes, counted from 1: partitions p with p mod of = number − 1.

    Fixed shares need no group to agree on them: a process that is restarted takes up its own
    partitions, and two that were given the same share by mistake are stopped by the store.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "2/3", the second of three; ValueError for anything else.

        >>> Share.parse("2/3").among(range(8))
        [1, 4, 7]
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ValueError(f'expected a share such as "1/3", got {text!r}')
        return cls(int(number), int(of))

    def among(self, partitions: Collection[int]) -> list[int]:
        """The partitions of this share, in order."""
        return [each for each in sorted(partitions) if each % self.of == self.number - 1]
