"""croupier import, against doors that really listen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from croupier.cli import sending
from tests.apps.guarded import GUARDED, KEYS
from tests.apps.house import NAME, TOP_BUTTON, House, a_house, arms, listening
from tests.cli.command import CommandLine

BANNER = TOP_BUTTON.replace(NAME, "banner")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path / "croupier.db", TOP_BUTTON + BANNER) as opened:
        yield opened


@pytest.fixture
def url(house: House) -> Iterator[str]:
    with listening(house) as port:
        yield f"http://127.0.0.1:{port}"


def trials(house: House, name: str = NAME) -> dict[str, int]:
    return {arm: page["n"] for arm, page in arms(house.page(name)).items() if page["n"]}


def test_rewards_come_from_csv_by_experiment_and_only_once(
    croupier: CommandLine, house: House, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "past.csv"
    file.write_text(
        f"experiment,arm,n,reward_sum\n{NAME},install,100,5\nbanner,install,50,5\n"
        f"{NAME},free-trial,100,500\nbanner,free-trial,20,1\n"
    )
    words = ("import", "rewards", file, "--server", url)
    dry = croupier(*words, "--dry-run", "--json")
    assert (dry.code, dry.json()["accepted"], trials(house)) == (1, 3, {})
    assert dry.json()["arms"]["banner"]["install"]["after"] == {"n": 50, "mean": 0.1}
    told = croupier(*words, "--key", "k")
    assert told.code == 1
    assert "3 accepted, 0 were there, 1 refused" in told.out
    assert "row 3, reward_sum: a mean of 5 cannot be" in told.err
    assert "--key k" in told.err
    file.write_text(file.read_text().replace("100,500", "100,50"))
    again = croupier(*words, "--key", "k")
    assert (again.code, "1 accepted, 3 were there, 0 refused" in again.out) == (0, True)
    assert trials(house) == {"install": 100, "free-trial": 100}
    assert trials(house, "banner") == {"install": 50, "free-trial": 20}


def test_a_file_is_its_own_key(
    croupier: CommandLine, house: House, url: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("arm,n,reward_sum\ninstall,100,5\n")
    words = ("import", "rewards", tmp_path / "a.csv", "--experiment", NAME, "--server", url)
    assert [croupier(*words, "--json").json()["accepted"] for _ in range(3)] == [1, 0, 0]
    assert trials(house) == {"install": 100}


def test_a_long_parquet_file_goes_in_chunks_with_its_own_row_numbers(
    croupier: CommandLine, house: House, url: str, tmp_path: Path
) -> None:
    count = 2 * sending._ROWS + 7
    columns: dict[str, Any] = {
        "arm": ["install"] * (count - 1) + ["nope"],
        "n": pa.array([10] * count, pa.int32()),
        "reward_sum": [1.0] * count,
        "reward_square_sum": pa.array([None] * count, pa.float64()),
        "at": pa.array(range(count), pa.timestamp("s")),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    words = ("import", "rewards", tmp_path / "a.parquet", "--experiment", NAME, "--server", url)
    dry = croupier(*words, "--json", "--dry-run").json()
    told = croupier(*words, "--json")
    assert (told.code, told.json()["accepted"]) == (1, count - 1)
    assert [each["row"] for each in told.json()["rejected"]] == [count]
    assert trials(house) == {"install": 10 * (count - 1)}
    after = told.json()["arms"][NAME]["install"]["after"]
    assert (after["n"], after["mean"]) == (10 * (count - 1), pytest.approx(0.1))
    assert dry["arms"][NAME]["install"]["after"]["n"] == after["n"]


def test_arms_come_with_a_name(
    croupier: CommandLine, house: House, url: str, tmp_path: Path
) -> None:
    (tmp_path / "arms.csv").write_text("arm,status\nnew,active\ninstall,paused\n")
    words = ("import", "arms", tmp_path / "arms.csv", "--experiment", NAME, "--server", url)
    told = croupier(*words, "--by", "ana")
    assert (told.code, "new: not there → active" in told.out) == (0, True)
    history = house.client.get(f"/v1/experiments/{NAME}/arms").json()
    assert (history[-1]["by"], history[-1]["change"]) == ("ana", "import: 1 added, 1 paused")


def test_a_key_is_sent_as_a_bearer_token(
    croupier: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("arm,n,reward_sum\ninstall,100,5\n")
    with a_house(tmp_path / "guarded.db", GUARDED) as house, listening(house) as port:
        url = f"http://127.0.0.1:{port}"
        words = ("import", "rewards", tmp_path / "a.csv", "--experiment", NAME, "--server", url)
        assert (croupier(*words).code, "key" in croupier(*words).err) == (2, True)
        monkeypatch.setenv("CROUPIER_API_KEY", KEYS["admin"])
        assert croupier(*words).code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "no such file"),
        ("a.csv", b"", "empty: the first line must name the columns"),
        ("a.csv", b"\n\n", "empty: the first line must name the columns"),
        ("a.csv", b"foo,bar\n", "unknown: foo, bar"),
        ("a.csv", b"arm,n\ninstall,1\n", "missing: reward_sum"),
        ("a.csv", b'arm,n,reward_sum\n"install,1\n', "from line 2 on: unexpected end"),
        ("a.csv", b"arm,n,reward_sum\n\xff,1,1\n", "not UTF-8"),
        ("a.parquet", b"text", "arquet"),
        ("/", None, "is a folder, not a file"),
        ("/dev/null", None, "is no ordinary file"),
    ],
)
def test_files_that_are_none_are_said(
    croupier: CommandLine, url: str, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    words = ("import", "rewards", tmp_path / name, "--experiment", NAME, "--server", url)
    found = croupier(*words)
    assert found.code == 2
    assert said in found.err
    assert found.err.count(name) == 1 or "127.0.0.1" in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize("what", ["rewards", "arms"])
def test_a_file_without_rows_is_checked_and_is_no_success(
    croupier: CommandLine, house: House, url: str, tmp_path: Path, what: str
) -> None:
    """A nightly query that broke is noticed: by the exit code, and by the server that is asked."""
    heads = {"rewards": "arm,n,reward_sum\n", "arms": "arm,status\n"}
    (tmp_path / "a.csv").write_text(heads[what])
    words = ("import", what, tmp_path / "a.csv")
    empty = croupier(*words, "--experiment", NAME, "--server", url)
    assert (empty.code, empty.err) == (1, f"{tmp_path / 'a.csv'}: no rows\n")
    assert "0 accepted" in empty.out
    assert (trials(house), len(house.client.get(f"/v1/experiments/{NAME}/arms").json())) == ({}, 1)
    nobody = croupier(*words, "--experiment", "nope", "--server", url)
    assert (nobody.code, "no experiment 'nope' is declared" in nobody.err) == (2, True)
    (tmp_path / "a.csv").write_text("experiment," + heads[what])
    some = croupier(*words, "--server", url, "--json")
    assert (some.code, some.json()["accepted"], "no rows" in some.err) == (1, 0, True)


def test_a_cell_that_cannot_be_read_is_quoted(
    croupier: CommandLine, url: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        "arm,n,reward_sum\ninstall,NaN,1\ninstall,10.5,1\ninstall,1,x\n"
    )
    words = (tmp_path / "a.csv", "--experiment", NAME, "--server", url)
    found = croupier("import", "rewards", *words)
    assert found.err.splitlines()[:3] == [
        "row 1, n: expected a whole number, got 'NaN'",
        "row 2, n: expected a whole number, got '10.5'",
        "row 3, reward_sum: expected a number, got 'x'",
    ]
    (tmp_path / "a.csv").write_text("arm,status\ninstall,actve\n")
    found = croupier("import", "arms", *words)
    assert "row 1, status: expected one of active, paused, removed, got 'actve'" in found.err


def test_a_file_without_experiments_needs_one(croupier: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arm,n,reward_sum\ninstall,100,5\n")
    found = croupier("import", "rewards", tmp_path / "a.csv")
    assert (found.code, "--experiment" in found.err) == (2, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense"])
def test_a_server_that_is_not_there_is_said(
    croupier: CommandLine, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_PAUSE", 0.0)
    (tmp_path / "a.csv").write_text("arm,n,reward_sum\ninstall,100,5\n")
    found = croupier("import", "rewards", tmp_path / "a.csv", "--experiment", NAME, "--server", url)
    assert found.code == 2
    assert "Traceback" not in found.err


def test_parquet_without_pyarrow_is_explained(
    croupier: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for module in [name for name in sys.modules if name.startswith("croupier.adapters.parquet")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delattr("croupier.adapters.parquet", raising=False)
    (tmp_path / "a.parquet").write_bytes(b"")
    (tmp_path / "croupier.db").write_bytes(b"")
    words = ("import", "rewards", tmp_path / "a.parquet", "--experiment", NAME)
    for found in (croupier(*words), croupier("export", "--data", tmp_path / "croupier.db")):
        assert (found.code, "pip install 'croupier[parquet]'" in found.err) == (2, True)
