"""spark-submit, as docs/howto/run-on-spark.md says it, to a real master with a real worker."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from croupier.config.services import Services, Stores, open_stores
from croupier.config.spark import SparkSettings
from tests.laws.test_chain import text
from tests.services.service import ROOT, free_port
from tests.services.spark import JARS
from tests.spark.cluster import Master, Worker, spark_home
from tests.spark.tale import funnels_on, read_back, tell_on

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]
_HOWTO = ROOT / "docs" / "howto" / "run-on-spark.md"


@pytest.fixture
def master(spark: SparkSettings, tmp_path: Path) -> Iterator[str]:
    """The address of a cluster; `spark` skips where there is no Spark."""
    one = Master(tmp_path / "master", free_port())
    two = Worker(tmp_path / "worker", free_port(), one.url)
    try:
        one.start()
        two.start()
        yield one.url
    finally:
        two.stop()
        one.stop()


@pytest.fixture
def stores(services: Services) -> Iterator[Stores]:
    opened = open_stores(services)
    yield opened
    opened.close()


def pack(folder: Path) -> None:
    """shop/bin/python, and it in shop.tar.gz, as venv-pack makes one: here it only leads to ours.

    The driver, too, starts Python workers: it finds what the executors unpack where it was packed.
    """
    python = folder / "shop" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    with tarfile.open(folder / "shop.tar.gz", "w:gz") as archive:
        archive.add(python, "bin/python")


def test_submitted_it_joins(
    services: Services, spark: SparkSettings, stores: Stores, master: str, tmp_path: Path
) -> None:
    pack(tmp_path)
    tale = read_back(stores.log, tell_on(stores.log, seed=2, decisions=60, seconds=1))
    words = _HOWTO.read_text()
    script = re.search(r"```python\n(.*?)```", words, re.DOTALL)
    assert script
    (tmp_path / "run.py").write_text(script[1])
    jars = [one for one in _jars_of(words) if (JARS / one).exists()]
    assert jars == _jars_of(words)  # of the version that is tested
    options = {
        "spark.executor.memory": "512m",
        **{key: value for key, value in spark.options.items() if key != "spark.jars"},
    }
    command = [str(spark_home() / "bin/spark-submit"), "--master", master]
    command += ["--archives", "shop.tar.gz#shop"]
    command += ["--jars", ",".join(str(JARS / one) for one in jars)]
    for key, value in options.items():
        command += ["--conf", f"{key}={value}"]
    command += [str(tmp_path / "run.py"), "spark", "join", "--trigger", "now", "--buckets", "4"]
    command += ["--checkpoints", spark.checkpoints, "--recover"]
    environment = os.environ | {
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_DRIVER_PYTHON": "shop/bin/python",
        "PYSPARK_PYTHON": "./shop/bin/python",
        "CROUPIER_LOG": services.log,
        "CROUPIER_STATES": services.states,
        "CROUPIER_CACHE": services.cache,
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert funnels_on(stores) == {text(funnel) for _, funnel in tale.told.funnels}


def _jars_of(words: str) -> list[str]:
    found = re.search(r"--jars (\S+\.jar,\S+\.jar)", words)
    assert found
    return found[1].split(",")
