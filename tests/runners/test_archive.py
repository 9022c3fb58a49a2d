"""An archive of the log: replay adds up what was trimmed, once, or says what is wrong with it."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from croupier.adapters import parquet
from croupier.config.archive import ENTRIES, with_archive
from croupier.config.backends import Backends, open_backends
from croupier.config.row_files import open_tables
from croupier.core.duration import DAY
from croupier.ports import EVENTS, OBSERVATIONS, TOPICS, Entry, UnusableError, entries_between
from croupier.runners.declare import read_declarations
from croupier.runners.export.days import Files, Span, day_of
from croupier.runners.export.entries import ENTRIES_SHEET, export_entries
from croupier.runners.replay import Replay, differences
from tests.apps.house import NAME, SINGLE, a_house

RICHER = SINGLE.replace("click = 1.0", "click = 1.0, enrol = 5.0")
ALWAYS = Span()
TRIMMED = (EVENTS, "funnels", OBSERVATIONS)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with three days, an import, and a change of reward that is not filled yet."""
    data = tmp_path_factory.mktemp("past") / "croupier.db"
    with a_house(data, SINGLE) as house:
        house.later(DAY + DAY // 2 - house.clock.now() % DAY)  # noon: no day ends by itself
        rows = [{"arm": "install", "n": 100, "reward_sum": 9, "at": "2026-01-01"}]
        house.post(f"/v1/experiments/{NAME}/import", rows, **{"idempotency-key": "k"})
        for day in range(3):
            for number in range(6):
                house.trial(f"u-{day}-{number}", "click" if number % 3 else "enrol")
            house.settle()
            house.later(DAY)
        house.trial("open")
        house.reopen(RICHER)
        house.trial("later", "enrol")
        house.settle()
    return data


@pytest.fixture
def data(past: Path, tmp_path: Path) -> Path:
    """A copy of it, archived beside."""
    shutil.copytree(past.parent, tmp_path, dirs_exist_ok=True)
    archive(tmp_path / past.name)
    return tmp_path / past.name


def archive(data: Path, span: Span = ALWAYS) -> None:
    export_entries(open_backends(data, read_only=True).log, span, Files(data.parent, open_tables()))


def trim(data: Path, stamp: int) -> None:
    backends = open_backends(data)
    for topic in TRIMMED:
        backends.log.trim(topic, stamp)
    backends.close()


def entries(backends: Backends, topic: str = EVENTS) -> list[Entry]:
    log = backends.log
    return [each for some in entries_between(log, topic, {}, log.ends(topic), 7) for each in some]


def archived(data: Path) -> Backends:
    return with_archive(open_backends(data, read_only=True), data.parent)


def files(data: Path, topic: str = EVENTS) -> list[Path]:
    return sorted((data.parent / ENTRIES).rglob(f"{topic}.parquet"))


def rewrite(path: Path, rows: pa.Table) -> None:
    pq.write_table(rows, path)


def test_wherever_the_log_is_trimmed_it_adds_up_to_the_same(past: Path, data: Path) -> None:
    whole = open_backends(past, read_only=True)
    every = {topic: entries(whole, topic) for topic in TOPICS}
    expected = Replay(whole, read_declarations(whole.log)).rebuild()
    assert expected.whole
    stamps = sorted({each.stamp for each in every[EVENTS]})
    for stamp in (*stamps[:: len(stamps) // 9 or 1], stamps[-1] + DAY):
        trim(data, stamp)
        backends = archived(data)
        assert {topic: entries(backends, topic) for topic in TOPICS} == every
        again = Replay(backends, read_declarations(backends.log))
        rebuilt = again.rebuild()
        assert rebuilt == expected
        assert differences(again.standing.sums, rebuilt.sums) == []
    bare = open_backends(data, read_only=True)
    assert entries(bare) == []
    assert not Replay(bare, read_declarations(bare.log)).whole()


def test_a_new_reward_is_filled_from_what_was_trimmed(past: Path, data: Path) -> None:
    whole = open_backends(past, read_only=True)
    expected = Replay(whole, read_declarations(whole.log)).fill().sums
    trim(data, entries(whole)[-1].stamp)
    backends = archived(data)
    assert Replay(backends, read_declarations(backends.log)).fill().sums == expected
    assert sum(each.n for each in expected.values()) >= 18


def test_an_archive_that_goes_on_after_trims_holds_everything(past: Path, tmp_path: Path) -> None:
    """Archived in the middle of a day, trimmed further in, archived again, and so on."""
    shutil.copytree(past.parent, tmp_path, dirs_exist_ok=True)
    data = tmp_path / past.name
    archive(data)
    with a_house(data, RICHER) as house:
        for number in range(3):
            house.trial(f"w-{number}", "click")
    every = entries(open_backends(data, read_only=True))
    trim(data, every[-4].stamp)
    archive(data)
    archive(data)
    assert entries(archived(data)) == every
    trim(data, every[-1].stamp + 1)
    archive(data)
    assert entries(archived(data)) == every
    assert not list(tmp_path.rglob("*.draft"))


def test_exporting_again_changes_no_byte(data: Path) -> None:
    before = {path: path.read_bytes() for path in files(data)}
    archive(data)
    assert {path: path.read_bytes() for path in files(data)} == before
    assert len(before) >= 3


def test_a_file_is_a_day_and_holds_what_is_stored(past: Path, data: Path) -> None:
    first = entries(open_backends(past, read_only=True))[0]
    path = Files(data.parent, open_tables()).path(ENTRIES_SHEET, day_of(first.stamp), EVENTS)
    row = pq.read_table(path, partitioning=None).to_pylist()[0]
    assert round(row.pop("stamp").timestamp() * 1000) == first.stamp
    assert row == {"topic": EVENTS, "partition": 0, "offset": 1, "payload": first.payload}


@pytest.mark.parametrize("bound", ["_BATCH", "_BATCH_BYTES"])
def test_a_day_of_many_row_groups_is_read_as_one(
    past: Path, tmp_path: Path, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, bound, 3)
    shutil.copytree(past.parent, tmp_path, dirs_exist_ok=True)
    data = tmp_path / past.name
    every = entries(open_backends(data, read_only=True))
    archive(data)
    assert pq.read_metadata(files(data)[0]).num_row_groups > 1
    trim(data, every[len(every) // 2].stamp)
    log = archived(data).log
    assert log.read(EVENTS, {}, 10_000) == every
    for each in every:
        assert log.read(EVENTS, {0: each.offset}, 1) == [each]
        first = next(one for one in every if one.stamp >= each.stamp)
        assert log.since(EVENTS, each.stamp) == {0: first.offset}


def test_a_gap_is_refused_with_file_and_offset(data: Path) -> None:
    first, second, *_ = files(data)
    end = pq.read_metadata(first).num_rows
    shutil.move(second, data.parent / "elsewhere")
    with pytest.raises(UnusableError, match=f"{first}: ends with offset {end}, and .*parquet"):
        archived(data)


def test_a_gap_before_the_log_is_refused(data: Path) -> None:
    stamp = entries(open_backends(data, read_only=True))[-1].stamp
    first, *others = files(data)
    for path in others:
        path.unlink()
    archived(data)  # the log still begins before the archive ends
    trim(data, stamp)
    with pytest.raises(UnusableError, match=f"{first}: ends with offset .* the log begins with"):
        archived(data)


def test_an_archive_that_begins_later_is_told_as_trimmed(data: Path) -> None:
    trim(data, entries(open_backends(data, read_only=True))[-1].stamp)
    files(data)[0].unlink()
    backends = archived(data)
    assert entries(backends)[0].offset > 1
    assert not Replay(backends, read_declarations(backends.log)).whole()


def test_other_bytes_than_the_log_has_are_refused(data: Path) -> None:
    path = files(data)[0]
    rows = pq.read_table(path, partitioning=None)
    payloads = rows["payload"].to_pylist()
    payloads[4] += b"x"
    rewrite(path, rows.set_column(4, rows.schema.field("payload"), pa.array([*payloads])))
    said = f"{path}: offset 5 is not what the log holds there"
    with pytest.raises(UnusableError, match=said):
        entries(archived(data))
    with pytest.raises(UnusableError, match=said):
        archive(data)


def test_an_archive_of_another_log_is_refused(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "croupier.db"
    other.parent.mkdir()
    with a_house(other, SINGLE.replace("see-recipes", "other")) as house:
        house.trial("u")
    trim(data, 2**50)
    archive(other)
    shutil.copytree(data.parent / ENTRIES, tmp_path / "mine")
    shutil.rmtree(data.parent / ENTRIES)
    shutil.copytree(other.parent / ENTRIES, data.parent / ENTRIES)
    with pytest.raises(UnusableError, match=r"arms\.parquet|events\.parquet"):
        entries(archived(data), "arms")


def test_an_archive_of_before_a_restore_is_refused(past: Path, tmp_path: Path) -> None:
    shutil.copytree(past.parent, tmp_path, dirs_exist_ok=True)
    data = tmp_path / past.name
    with a_house(data, RICHER) as house:
        house.trial("w")
    archive(data)
    for each in past.parent.glob("croupier.db*"):
        shutil.copy(each, tmp_path)
    with pytest.raises(UnusableError, match=r"is not on the log|not what the log holds"):
        entries(archived(data))
    with pytest.raises(UnusableError, match=r"is not of that day in the log|not what the log"):
        archive(data)


@pytest.mark.parametrize("place", [0, 30, 0.3, 0.5, -5])
def test_a_damaged_file_is_refused_or_read_as_it_was(data: Path, place: float) -> None:
    """Bytes are turned over at the start, within pages, in the footer."""
    expected = entries(archived(data))
    trim(data, 2**50)
    path = files(data)[1]
    content = bytearray(path.read_bytes())
    at = place if isinstance(place, int) else int(len(content) * place)
    content[at] ^= 0xFF
    path.write_bytes(content)
    try:
        assert entries(archived(data)) == expected, "only what means nothing may be damaged"
    except UnusableError as error:
        assert str(path) in str(error)  # noqa: PT017 - one or the other
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnusableError, match=str(path)):
        archived(data)


@pytest.mark.parametrize("what", ["columns", "topic", "order", "twice", "partition"])
def test_a_foreign_file_is_refused(data: Path, what: str) -> None:
    trim(data, 2**50)
    path = files(data)[1]
    rows = pq.read_table(path, partitioning=None)
    if what == "columns":
        rewrite(path, rows.drop_columns(["payload"]))
    elif what == "topic":
        shutil.copy(path, path.with_name("funnels.parquet"))
        for each in files(data, "funnels"):
            if each.parent != path.parent:
                each.unlink()
    elif what == "order":
        rewrite(path, rows.take([1, 0, *range(2, rows.num_rows)]))
    elif what == "twice":
        copy = path.parent.with_name("day=2000-01-01")
        copy.mkdir()
        shutil.copy(path, copy)
    else:
        rewrite(path, rows.set_column(1, "partition", pa.array([1] * rows.num_rows)))
    with pytest.raises(UnusableError, match=r"\.parquet: "):
        entries(archived(data), "funnels" if what == "topic" else EVENTS)


def test_what_was_trimmed_before_it_was_archived_is_told_and_spoils_no_file(data: Path) -> None:
    """A day of three: the second was trimmed while nobody archived it; other topics are written."""
    every = {topic: entries(open_backends(data, read_only=True), topic) for topic in TOPICS}
    first, middle = files(data)[:2]
    kept = pq.read_table(middle, partitioning=None)
    for path in files(data)[2:]:
        path.unlink()
    rewrite(middle, kept.slice(0, 1))  # as it was archived early that day
    for path in files(data, OBSERVATIONS):
        path.unlink()
    begin = kept["offset"][0].as_py()
    trim(data, next(each.stamp for each in every[EVENTS] if each.offset == begin + 2))
    left = open_backends(data, read_only=True).log.read(EVENTS, {}, 1)[0].offset
    assert begin + 1 < left < begin + kept.num_rows
    before = middle.read_bytes()
    said = f"{middle}: ends with offset {begin}, and the log goes on with {left}: .* is lost. Move"
    with pytest.raises(UnusableError, match=said):
        archive(data)
    assert middle.read_bytes() == before
    assert files(data, OBSERVATIONS)
    middle.unlink()
    first.unlink()
    archive(data)
    assert entries(archived(data)) == [each for each in every[EVENTS] if each.offset >= left]
