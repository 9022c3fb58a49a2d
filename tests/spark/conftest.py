"""One Spark session for all tests, small and silent; skipped, loudly, where Spark is missing."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from croupier.config.spark import SparkSettings
from tests.services.fixtures import in_ci
from tests.services.service import ROOT

JARS = Path(os.environ.get("CROUPIER_SPARK_JARS", ROOT / ".services" / "spark-jars"))


def missing() -> str:
    """Why Spark cannot be started here; empty when it can."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is missing: requirements/tiers.txt"
    if not any(JARS.glob("spark-sql-kafka*.jar")):
        return f"no jars in {JARS}. Fetch them: make spark-jars"
    if shutil.which("java") is None:
        return "java is missing. On Debian or Ubuntu: apt-get install openjdk-17-jre-headless"
    return ""


def options() -> dict[str, str]:
    """A session for two busy cores and a minute, not for a day."""
    return {
        "spark.jars": ",".join(sorted(map(str, JARS.glob("*.jar")))),
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.log.level": "OFF",
    }


@pytest.fixture
def spark() -> Iterator[SparkSettings]:
    """What Spark is given: a checkpoint folder in memory, and all there is to read, once."""
    reason = missing()
    if reason:
        (pytest.fail if in_ci() else pytest.skip)(reason)
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield SparkSettings(folder, "now", 60, 4, "local[2]", options())
