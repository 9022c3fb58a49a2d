"""One Spark session for all tests, small and silent; skipped, loudly, where Spark is missing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from croupier.config.spark import SparkSettings
from tests.services.fixtures import in_ci
from tests.services.spark import BRIEF, missing, options


@pytest.fixture
def spark() -> Iterator[SparkSettings]:
    """What Spark is given: a checkpoint folder in memory, and all there is to read, once."""
    reason = missing()
    if reason:
        (pytest.fail if in_ci() else pytest.skip)(reason)
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield SparkSettings(folder, "now", 60, 4, "local[2]", options() | BRIEF)
