"""Where numbers lie that nobody here made: CROUPIER_SHARED_DATA, or ../shared/data."""

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("CROUPIER_SHARED_DATA") or ROOT.parent / "shared" / "data")


def shared(*names: str) -> Path:
    """A file or folder of the shared data; the test is skipped where it is not."""
    path = FOLDER.joinpath(*names)
    if not path.exists():
        pytest.skip(f"no {'/'.join(names)} in CROUPIER_SHARED_DATA or in ../shared/data")
    return path


def reference(*names: str) -> Any:
    """The decoded reference numbers."""
    return json.loads(shared(*names).read_text(encoding="utf-8"))


def rows(*names: str) -> list[dict[str, str]]:
    """The rows of a compressed CSV file."""
    with gzip.open(shared(*names), "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
