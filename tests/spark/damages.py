"""What can happen to a checkpoint: each a function of its folder."""

import shutil
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
        committed = int(numbered(checkpoint / "commits")[-1].name) + 1
        state = checkpoint / "state" / "0" / "0"
        damage(
            next(
                state / f"{n}.changelog"
                for n in range(committed, 0, -1)
                if (state / f"{n}.changelog").exists()
            )
        )

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
