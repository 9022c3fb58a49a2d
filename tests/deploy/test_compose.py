"""deploy/compose.yaml: a compose file, and the same services on the same ports as `make services`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.fixtures import in_ci
from tests.services.__main__ import PORTS
from tests.services.service import ROOT

FILE = ROOT / "deploy" / "compose.yaml"


@pytest.mark.services
def test_the_compose_file_fits_its_schema() -> None:
    tool = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if tool is None:
        (pytest.fail if in_ci() else pytest.skip)("check-jsonschema is missing: make services-test")
    ran = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", FILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_all_ports_are_on_loopback_and_those_of_make_services() -> None:
    published = re.findall(r'ports: \["(.*?):(\d+):\d+"\]', FILE.read_text())
    assert {host for host, _ in published} == {"127.0.0.1"}
    assert {int(port) for _, port in published} == {*PORTS.values(), 8080}


def test_kafka_is_the_one_that_the_tests_run() -> None:
    """The version is written in the POM and in the compose file: neither may be forgotten."""
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    (tested,) = re.findall(r"<kafka.version>(.*?)</kafka.version>", pom)
    assert re.findall(r"image: apache/kafka:(\S+)", FILE.read_text()) == [tested]
