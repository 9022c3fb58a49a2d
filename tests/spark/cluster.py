"""A standalone Spark cluster on loopback, from PySpark's own package: a master and a worker."""

import importlib.util
import os
from pathlib import Path

from tests.services.service import Service, connects, free_port


def spark_home() -> Path:
    """Where PySpark is installed: a whole Spark, but for its Kafka connector."""
    found = importlib.util.find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


class Master(Service):
    """Who has workers, and hands out their cores."""

    name, scheme = "spark-master", "spark"

    def command(self) -> list[str]:
        return [*_daemon("master.Master"), *_at(self.port)]

    def answers(self) -> bool:
        return connects(self.port)


class Worker(Service):
    """One of two cores; what it runs stands in its folder."""

    name, scheme = "spark-worker", "spark"

    def __init__(self, folder: Path, port: int, master: str) -> None:
        super().__init__(folder, port)
        self._master = master

    def command(self) -> list[str]:
        size = ["--cores", "2", "--memory", "1g", "--work-dir", str(self.folder)]
        return [*_daemon("worker.Worker"), *_at(self.port), *size, self._master]

    def answers(self) -> bool:
        return connects(self.port)


def _daemon(name: str) -> list[str]:
    home = spark_home()
    settings = {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "128m",
        "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    words = [f"{key}={value}" for key, value in settings.items()]
    return ["env", *words, str(home / "bin/spark-class"), f"org.apache.spark.deploy.{name}"]


def _at(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(free_port())]
