"""croupier source --check: what mappings make of records, held to files that people can read.

`tests/golden/sources/<case>` holds a croupier.toml, records as they stand in a topic (one a line),
and beside each `<source>.jsonl` what it comes to. CROUPIER_GOLDEN=write writes the latter anew.
"""

import json
import os
from pathlib import Path

import pytest

from tests.cli.command import CommandLine

GOLDEN = Path(__file__).parents[1] / "golden" / "sources"
SAMPLES = sorted(path for path in GOLDEN.glob("*/*.jsonl") if path.suffixes == [".jsonl"])
ORDERS = GOLDEN / "orders"


def told(croupier: CommandLine, sample: Path, *words: object) -> str:
    config = sample.parent / "croupier.toml"
    return croupier("source", sample.stem, "--check", sample, "--config", config, *words).out


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_records_come_to_what_their_golden_file_says(croupier: CommandLine, sample: Path) -> None:
    out = told(croupier, sample, "--keys", GOLDEN / "keys.json", "--json")
    expected = sample.with_suffix(".expected.jsonl")
    if os.environ.get("CROUPIER_GOLDEN") == "write":
        expected.write_text(out, encoding="utf-8")
    assert out.splitlines() == expected.read_text(encoding="utf-8").splitlines()
    lines = {json.loads(line)["line"] for line in out.splitlines()}
    assert lines == set(range(1, len(sample.read_bytes().splitlines()) + 1))


def test_there_are_golden_files() -> None:
    assert {path.stem for path in SAMPLES} == {"orders", "pages", "opened", "mails"}


def test_without_keys_the_mapping_alone_is_shown(croupier: CommandLine, tmp_path: Path) -> None:
    found = croupier(
        "source",
        *("--check", ORDERS / "orders.jsonl", "--config", ORDERS / "croupier.toml"),
        *("--keys", tmp_path / "none.keys", "--json"),
    )
    assert "tokens and arms are not checked" in found.err
    reports = [json.loads(line) for line in found.out.splitlines() if '"report"' in line]
    assert reports[0]["report"]["value"] == 12.5
    assert "token signature" not in found.out
    assert found.code == 1


def test_people_read_a_line_a_record(croupier: CommandLine) -> None:
    out = told(croupier, ORDERS / "orders.jsonl", "--keys", GOLDEN / "keys.json").splitlines()
    assert out[0].startswith("   1  purchase     free-trial  value 12.5  id o-1  top-button")
    assert out[4] == "   5  skipped (kind)"
    assert out[20] == "  21  REFUSED (token): token signature does not match"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nothing"], "source 'nothing': not in the file; it has: pages, opened"),
        (["--check", "none.jsonl"], "--check: name the source that the records are of"),
        (["pages", "--check", "none.jsonl"], "none.jsonl: No such file or directory"),
        (["pages"], "--log is needed, unless --check"),
        (["pages", "--log", "kafka://127.0.0.1:1/x"], "--states is needed, unless --check"),
    ],
)
def test_what_cannot_be_done_is_said(croupier: CommandLine, words: list[str], reason: str) -> None:
    found = croupier("source", *words, "--config", GOLDEN / "pages" / "croupier.toml")
    assert found.code == 2
    assert " ".join(found.err.replace("│", " ").split()).find(reason) >= 0


def test_a_file_without_sources_is_named(croupier: CommandLine, shop: Path) -> None:
    found = croupier("source", "--config", shop / "croupier.toml")
    assert (found.code, found.err.strip()) == (2, "source: the file has no [[source]]")


def test_up_says_that_it_reads_no_source(
    croupier: CommandLine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("--config", ORDERS / "croupier.toml", "--data", tmp_path / "c.db", "--host", "0.0.0.0")
    found = croupier("up", *words)
    assert found.code == 2  # listening for others without keys is refused, after the warning
    assert "[[source]] is not read here, but by `croupier source`: orders" in caplog.text
