"""What a Spark session of our own needs: the connector's jars, Java, options for loopback."""

import importlib.util
import os
import shutil
from pathlib import Path

from tests.services.service import ROOT

JARS = Path(os.environ.get("CROUPIER_SPARK_JARS", ROOT / ".services" / "spark-jars"))
BRIEF = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""For a session of a minute: Java compiles quickly, not well."""


def missing() -> str:
    """Why Spark cannot be started here; empty when it can."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is missing: requirements/tiers.txt"
    if not any(JARS.glob("spark-sql-kafka*.jar")):
        return f"no jars in {JARS}. Fetch them: make spark-jars"
    if shutil.which("java") is None:
        return "java is missing. On Debian or Ubuntu: apt-get install openjdk-17-jre-headless"
    return ""


def options(memory: str = "1g") -> dict[str, str]:
    """A silent session on loopback, for two cores."""
    return {
        "spark.jars": ",".join(sorted(map(str, JARS.glob("*.jar")))),
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.log.level": "OFF",
    }
