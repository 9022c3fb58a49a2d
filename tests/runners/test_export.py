"""Exported tables hold what the log, the states and the snapshots hold; whole files or none."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from croupier.config.backends import Backends, open_backends
from croupier.config.row_files import Table, open_tables
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.columns import Column
from croupier.core.duration import DAY
from croupier.core.records import Event
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS
from croupier.runners.export.days import Files, Sheet, Span, Written, day_of, day_text
from croupier.runners.export.everything import WHAT, Export
from tests.apps.house import NAME, SINGLE, House, a_house, arms
from tests.full_disk import no_file_longer_than

ALWAYS = Span()
TABLES = [each for each in WHAT if each != "entries"]
BANNER = SINGLE.replace(NAME, "banner")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A file with three days of two experiments, and what the page of one said at the end."""
    data = tmp_path_factory.mktemp("past") / "croupier.db"
    with a_house(data, SINGLE + BANNER) as house:
        key = {"idempotency-key": "k"}
        rows = [{"arm": "install", "n": 100, "reward_sum": 9, "at": "2026-01-01"}]
        house.post(f"/v1/experiments/{NAME}/import", rows, **key)
        for day in range(3):
            for number in range(8):
                house.trial(f"u-{day}-{number}", *(["click"] if number % 3 else []))
            house.trial(f"b-{day}", name="banner")
            house.settle()
            snapshot(house)
            house.later(DAY)
        house.post(f"/v1/experiments/{NAME}/arms", {"change": "put", "arm": "new", "by": "ana"})
        house.trial("open")
        return data, house.page()


def snapshot(house: House) -> None:
    """Let the refresh be due, and wait until what was learned is published."""
    house.later(11_000)
    house.until(lambda _: not house.embedded.ring.learn._changed)


def export(
    data: Path, out: Path, *names: str, span: Span = ALWAYS
) -> tuple[Backends, list[Written]]:
    backends = open_backends(data, read_only=True)
    return backends, Export(backends, Files(out, open_tables()), names, span).run(TABLES)


def table(out: Path, sheet: str, experiment: str = NAME) -> list[dict[str, Any]]:
    read = pq.read_table(out / sheet, filters=[("experiment", "=", experiment)])
    rows: list[dict[str, Any]] = read.to_pylist()
    return rows


def on_log(backends: Backends, topic: str) -> list[Any]:
    entries = backends.log.read(topic, {}, 10_000)
    return list(codec.decode_all(entry.payload for entry in entries))


@pytest.fixture(scope="module")
def exported(
    past: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Backends, list[Written]]:
    out = tmp_path_factory.mktemp("out")
    return out, *export(past[0], out)


def test_counts_are_those_of_the_log(exported: tuple[Path, Backends, list[Written]]) -> None:
    out, backends, written = exported
    rows = Counter[str]()
    for one in written:
        rows[one.sheet] += one.rows
    events = [one for one in on_log(backends, EVENTS) if isinstance(one, Event)]
    assert rows["events"] == len(events) == pq.read_table(out / "events").num_rows
    assert rows["funnels"] == len(on_log(backends, FUNNELS))
    assert rows["observations"] + rows["imports"] == len(on_log(backends, OBSERVATIONS))
    assert rows["imports"] == 1
    kinds = Counter(row["kind"] for row in table(out, "events"))
    assert kinds == Counter(one.kind for one in events if one.decision.experiment == NAME)


def test_sums_are_those_of_the_page(
    exported: tuple[Path, Backends, list[Written]], past: tuple[Path, dict[str, Any]]
) -> None:
    out, page = exported[0], past[1]
    n, total, trials = Counter[str](), Counter[str](), Counter[str]()
    for row in table(out, "states"):
        if row["stratum"] == "imported":  # it is in policy, too
            continue
        n[row["arm"]] += row["n"]
        total[row["arm"]] += Sums.decode(row["exact"]).r
        assert row["mean"] == pytest.approx(row["reward_sum"] / row["n"])
    for row in [*table(out, "observations"), *table(out, "imports")]:
        trials[row["arm"]] += row.get("n", 1)
    for name, arm in arms(page).items():
        assert n[name] == trials[name] == arm["n"]
        assert total[name] / 10**6 == arm["reward_sum"]
    assert {row["period"].date().isoformat() for row in table(out, "states")} >= {"2026-01-01"}


def test_snapshots_are_as_they_were_published(
    exported: tuple[Path, Backends, list[Written]],
) -> None:
    out, backends, _ = exported
    found = {(row["version"], row["arm"]): row for row in table(out, "snapshots")}
    history = backends.cache.history(NAME, 100)
    assert len(history) >= 4
    assert len(found) == sum(len(one.arms) for one in history)
    for one in history:
        posterior: Any = one.posterior
        for place, name in enumerate(one.names):
            row = found[one.version, name]
            assert row["weight"] == one.weights[place]
            assert row["at"].timestamp() * 1000 == one.at
            assert json.loads(row["posterior"])["a"] == posterior.a[place]


def test_a_row_of_an_event_says_what_was_decided(
    exported: tuple[Path, Backends, list[Written]],
) -> None:
    out, backends, _ = exported
    first = next(one for one in on_log(backends, EVENTS) if isinstance(one, Event))
    row = next(
        row
        for row in table(out, "events")
        if row["tracking_id"] == first.decision.tracking_id.hex() and row["kind"] == first.kind
    )
    assert row["unit"] == first.decision.unit.hex()
    assert row["arm"] == ("install", "free-trial", "see-recipes")[first.decision.slate[0]]
    assert row["slate"] == [row["arm"]]
    assert row["propensities"] == [row["propensity"]] == list(first.decision.propensities)
    assert row["day"] == row["stamp"].date().isoformat()
    assert table(out, "arms")[-1]["by"] == "ana"
    schema = pq.read_schema(next((out / "states").rglob("*.parquet")))
    assert b"millionths" in schema.field("exact").metadata[b"meaning"]


def test_days_and_experiments_can_be_chosen(
    past: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    backends, _ = export(past[0], tmp_path / "all")
    stamp = backends.log.read(EVENTS, {}, 1)[0].stamp
    second = day_of(stamp) + 1
    export(past[0], tmp_path / "one", "banner", span=Span(second, second + 1))
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    day = f"day={day_text(second)}"
    assert files == [
        Path(sheet) / day / "banner.parquet"
        for sheet in ("events", "funnels", "observations", "snapshots", "states")
        if (tmp_path / "all" / sheet / day / "banner.parquet").exists()
    ]
    assert len(files) >= 3
    assert len(table(tmp_path / "one", "events", "banner")) == 1


def test_exporting_again_replaces_and_changes_nothing(
    past: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    export(past[0], tmp_path)
    once = contents()
    next(iter(once)).write_bytes(b"damaged")
    export(past[0], tmp_path)
    assert contents() == once


def test_a_day_that_the_log_no_longer_holds_whole_is_left_alone(
    past: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(past[0].parent, tmp_path, dirs_exist_ok=True)
    data, out = tmp_path / past[0].name, tmp_path / "out"
    export(data, out)
    whole = {sheet: table(out, sheet) for sheet in ("events", "snapshots")}
    backends = open_backends(data)
    backends.log.trim(EVENTS, backends.log.read(EVENTS, {}, 10)[5].stamp)
    backends.cache.trim(backends.cache.history(NAME, 100)[1].at)
    backends.close()
    kept = {(one.sheet, one.path.stem) for one in export(data, out)[1] if one.kept}
    assert {("events", NAME)} <= kept
    for sheet, before in whole.items():
        assert len(table(out, sheet)) == len(before)
    export(data, tmp_path / "elsewhere")
    assert 0 < len(table(tmp_path / "elsewhere", "events")) < len(whole["events"])


def test_what_breaks_off_leaves_no_half_file(
    past: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """The disk fills up, or the process ends, in the middle of a day."""
    real, begun = open_tables(), list[Table]()

    class Breaking:
        rows = 0

        def __init__(self, path: Path, columns: Sequence[Column]) -> None:
            self.table = real(path, columns)
            begun.append(self.table)

        def add(self, row: Sequence[object]) -> None:
            if self.table.rows > 3:
                raise OSError("no space left")
            self.table.add(row)
            self.table._flush()  # type: ignore[attr-defined]

        def close(self) -> None:
            self.table.close()

        def discard(self) -> None:
            self.table.discard()

    backends = open_backends(past[0], read_only=True)
    with pytest.raises(OSError, match="no space left"):
        Export(backends, Files(tmp_path, Breaking), (), ALWAYS).run(["log"])
    assert begun
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("room", [2, 500])
def test_a_table_without_room_leaves_no_draft(tmp_path: Path, room: int) -> None:
    """The disk is full at the first bytes of a file, or in the middle of it."""
    sheet = Sheet("x", (Column("a", "whole", "a number"),))

    def write() -> None:
        with Files(tmp_path, open_tables()).day(0) as day:
            for number in range(1_000):
                day.add(sheet, NAME, (number,))

    with pytest.raises(OSError, match="too large"), no_file_longer_than(room):
        write()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    write()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{NAME}.parquet"]
