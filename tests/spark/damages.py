"""What can happen to a checkpoint: each a function of its folder; and by dice, anything."""

import json
import random
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path


def numbered(folder: Path) -> list[Path]:
    """A metadata log's files, oldest first."""
    files = [each for each in folder.iterdir() if each.name.isdigit()]
    return sorted(files, key=lambda each: int(each.name))


def _checksum(file: Path) -> Path:
    return file.with_name(f".{file.name}.crc")


def _empty(file: Path) -> None:
    file.write_bytes(b"")
    _checksum(file).unlink(missing_ok=True)


def _cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    _checksum(file).unlink(missing_ok=True)


def _delete(file: Path) -> None:
    file.unlink()
    _checksum(file).unlink(missing_ok=True)


def _last(folder: str, damage: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda checkpoint: damage(numbered(checkpoint / folder)[-1])


def _metadata(damage: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda checkpoint: damage(checkpoint / "metadata")


def _newest_state(damage: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(checkpoint: Path) -> None:
        """What was changed, and the whole as it then was, where Spark has that, too."""
        version = int(numbered(checkpoint / "commits")[-1].name) + 1
        files = [checkpoint / f"state/0/0/{version}.{kind}" for kind in ("changelog", "zip")]
        there = [file for file in files if file.exists()]
        assert there, f"no state of version {version} in {checkpoint}"
        for file in there:
            damage(file)

    return apply


def _roll_back(checkpoint: Path) -> None:
    for folder in ("offsets", "commits"):
        _delete(numbered(checkpoint / folder)[-1])


LOGS: dict[str, Callable[[Path], None]] = {
    "the last offsets file is empty": _last("offsets", _empty),
    "the last offsets file is cut": _last("offsets", _cut),
    "the last offsets file is gone": _last("offsets", _delete),
    "the offsets are gone": lambda checkpoint: shutil.rmtree(checkpoint / "offsets"),
    "the last commits file is empty": _last("commits", _empty),
    "the last commits file is gone": _last("commits", _delete),
    "the commits are gone": lambda checkpoint: shutil.rmtree(checkpoint / "commits"),
    "offsets and commits are one batch old": _roll_back,
    "the metadata is empty": _metadata(_empty),
    "the metadata is gone": _metadata(_delete),
    "the checkpoint is gone": shutil.rmtree,
}
"""Of every query."""

STATE: dict[str, Callable[[Path], None]] = {
    "the newest state file is empty": _newest_state(_empty),
    "the newest state file is cut": _newest_state(_cut),
    "the newest state file is gone": _newest_state(_delete),
    "the state is gone": lambda checkpoint: shutil.rmtree(checkpoint / "state"),
}
"""Of a query that folds."""

USELESS = frozenset(
    {
        *STATE,
        "the last offsets file is empty",
        "the last offsets file is cut",
        "the last commits file is empty",
        "the metadata is empty",
    }
)
"""With these no query can go on, whenever it was stopped; with others it depends on that."""


# --- by dice --------------------------------------------------------------------------------------


class Spoiler:
    """Damages any files of one checkpoint."""

    def __init__(
        self, folder: Path, dice: random.Random, older: list[Path], others: list[Path]
    ) -> None:
        self._folder, self._dice = folder, dice
        self._older, self._others = older, others
        self.ways: dict[str, Callable[[], object]] = {
            "flip bytes": lambda: self._rewrite(self._flipped),
            "truncate": lambda: self._rewrite(lambda held: held[: dice.randrange(len(held) or 1)]),
            "zero bytes": lambda: self._rewrite(lambda held: bytes(len(held))),
            "append to": lambda: self._rewrite(lambda held: held + dice.randbytes(20)),
            "digits": lambda: self._rewrite(self._other_digit, self._log_file()),
            "swap": self._swap,
            "overwrite": self._overwrite,
            "delete": self._delete_some,
            "a folder for": self._folder_for,
            "future": self._future,
            "stale checksum": self._stale_checksum,
            "roll back": lambda: self._take(dice.choice(older)),
            "mix generations": self._mix,
            "another's": lambda: self._take(dice.choice(others)),
            "another id": self._another_id,
        }

    def files(self) -> list[Path]:
        """All, in an order that dice may rely on; checksums are not counted as files."""
        found = (each for each in self._folder.rglob("*") if each.is_file())
        return sorted(each for each in found if not each.name.endswith(".crc"))

    def _one(self) -> Path:
        """A file: each folder is as likely as any other, however many files it has."""
        folders = sorted({each.parent for each in self.files()})
        folder = self._dice.choice(folders)
        return self._dice.choice([each for each in self.files() if each.parent == folder])

    def _log_file(self) -> Path:
        logs = [each for each in self.files() if each.parent.name in ("offsets", "commits", "0")]
        return self._dice.choice(logs[-2:] + logs[:1] or [self._one()])

    def _rewrite(self, change: Callable[[bytes], bytes], file: Path | None = None) -> str:
        file = file or self._one()
        file.write_bytes(change(file.read_bytes()))
        _checksum(file).unlink(missing_ok=True)
        return str(file.relative_to(self._folder))

    def _flipped(self, held: bytes) -> bytes:
        spoilt = bytearray(held)
        for _ in range(self._dice.randrange(1, 6) if held else 0):
            spoilt[self._dice.randrange(len(held))] ^= 1 << self._dice.randrange(8)
        return bytes(spoilt)

    def _other_digit(self, held: bytes) -> bytes:
        places = [place for place, one in enumerate(held) if chr(one).isdigit()]
        spoilt = bytearray(held)
        for place in places[-1:] + self._dice.sample(places, min(1, len(places))):
            spoilt[place] = ord(self._dice.choice("0123456789"))
        return bytes(spoilt)

    def _swap(self) -> str:
        """Two files of one folder, each with its checksum."""
        one = self._one()
        other = self._dice.choice([each for each in self.files() if each.parent == one.parent])
        held = {each: each.read_bytes() for each in (one, _checksum(one)) if each.exists()}
        _copy(other, one)
        for source, target in ((one, other), (_checksum(one), _checksum(other))):
            if source in held:
                target.write_bytes(held[source])
        return f"{one.relative_to(self._folder)} and {other.name}"

    def _overwrite(self) -> str:
        one, other = self._one(), self._one()
        _copy(other, one)
        return f"{one.relative_to(self._folder)} by {other.relative_to(self._folder)}"

    def _delete_some(self) -> str:
        share = self._dice.choice([0.05, 0.3, 0.7])
        gone = [each for each in self.files() if self._dice.random() < share]
        for each in gone:
            each.unlink()
            if self._dice.random() < 0.5:
                _checksum(each).unlink(missing_ok=True)
        return f"{len(gone)} of {len(gone) + len(self.files())}"

    def _folder_for(self) -> str:
        file = self._one()
        _delete(file)
        file.mkdir()
        return str(file.relative_to(self._folder))

    def _future(self) -> str:
        """The newest of some numbered folder again, as the next, or a later one."""
        folder = self._dice.choice(["offsets", "commits", "state/0/0", "state/0/1"])
        files = [each for each in self.files() if each.parent == self._folder / folder]
        numbers = [each for each in files if each.stem.isdigit()]
        if not numbers:
            return "nothing"
        last = max(numbers, key=lambda each: int(each.stem))
        later = last.with_name(f"{int(last.stem) + self._dice.choice([1, 1, 2, 9])}{last.suffix}")
        _copy(last, later)
        return str(later.relative_to(self._folder))

    def _stale_checksum(self) -> str:
        file = self._one()
        file.write_bytes(self._flipped(file.read_bytes()))
        return str(file.relative_to(self._folder))

    def _take(self, other: Path) -> str:
        if other != self._folder:
            shutil.rmtree(self._folder)
            shutil.copytree(other, self._folder)
        return other.parent.name + "/" + other.name

    def _mix(self) -> str:
        """Some files as they were at an older time."""
        old, count = self._dice.choice(self._older), 0
        for file in self.files():
            former = old / file.relative_to(self._folder)
            if former.is_file() and self._dice.random() < 0.5:
                _copy(former, file)
                count += 1
        return f"{count} of {old.name}"

    def _another_id(self) -> None:
        made = uuid.UUID(bytes=self._dice.randbytes(16))
        said = self._dice.choice([json.dumps({"id": str(made)}), '{"id":7}', "{}", "null"])
        (self._folder / "metadata").write_text(said)
        _checksum(self._folder / "metadata").unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """A file with its checksum, or with none."""
    shutil.copyfile(source, target)
    _checksum(target).unlink(missing_ok=True)
    if _checksum(source).exists():
        shutil.copyfile(_checksum(source), _checksum(target))


def spoil(folder: Path, dice: random.Random, older: list[Path], others: list[Path]) -> str:
    """Damage a checkpoint in one or two ways; what was done.

    `older` are copies of it, `others` the checkpoints of all apps.
    """
    said = []
    for _ in range(dice.choice([1, 1, 2])):
        spoiler = Spoiler(folder, dice, older, others)
        if spoiler.files():
            way = dice.choice([*spoiler.ways])
            said.append(f"{way} {spoiler.ways[way]() or ''}".strip())
    return "; ".join(said)
