"""croupier backup and restore: one moment of a ring that goes on, and back to it exactly."""

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from croupier.config.backups import make_backup, restore
from croupier.config.errors import ConfigError
from tests.apps.house import NAME, SINGLE, a_house
from tests.cli.command import CommandLine
from tests.full_disk import no_file_longer_than


def test_a_restored_ring_goes_on_exactly(tmp_path: Path) -> None:
    """Counts equal, an open story closes as it would have, tokens verify, later trials are gone."""
    data, saved = tmp_path / "croupier.db", tmp_path / "saved.db"
    with a_house(data, SINGLE) as house:
        for number in range(5):
            house.trial(f"u-{number}", "click")
        known = house.settle()
        open_token = house.decide("open")["token"]
        house.report({"kind": "impression", "token": open_token})
        made = make_backup(data, saved, keys=True)
        assert made.keys is not None
        assert stat.S_IMODE(made.keys.stat().st_mode) == 0o600
        lost = house.trial("after", "click")["token"]
        house.settle()
    assert tmp_path / "croupier.db.old" in restore(saved, data, ".old").aside
    with closing(sqlite3.connect(tmp_path / "croupier.db.old")) as before:
        assert before.execute(
            "SELECT value FROM counts WHERE name = 'observations'"
        ).fetchone() == (7,)
    with a_house(data, SINGLE) as house:
        page = house.until(lambda page: page["open"] == 1)
        assert page["observations"] == 5
        counted = [
            [(arm["arm"], arm["n"], arm["reward_sum"]) for arm in each["arms"]]
            for each in (page, known)
        ]
        assert counted[0] == counted[1]
        assert house.report({"kind": "click", "token": open_token})["accepted"] == 1
        assert house.settle()["observations"] == 6
        assert house.report({"kind": "click", "token": lost})["accepted"] == 1


def test_a_backup_is_of_one_moment_while_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial is written after each page that is copied; the copy holds none of them."""
    monkeypatch.setattr("croupier.adapters.sqlite.backup._PAGES", 1)
    data, writes = tmp_path / "croupier.db", 0
    with a_house(data, SINGLE) as house:

        def write(_: int, __: int) -> None:
            nonlocal writes
            writes += 1
            if writes <= 20:
                house.trial(f"meanwhile-{writes}")

        house.trial("before")
        made = make_backup(data, tmp_path / "saved.db", keys=False, show=write)
        assert writes > 10
        house.until(lambda page: page["open"] == 1 + min(writes, 20))
    with closing(sqlite3.connect(made.data)) as copy:
        assert copy.execute("SELECT count(*), max(offset) FROM log_events").fetchone() == (1, 1)
        assert copy.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'log_events'"
        ).fetchone() == (1,)
    assert not list(tmp_path.glob("*.part*"))


def test_the_command_says_what_it_made(croupier: CommandLine, shop: Path) -> None:
    words = ("--data", shop / "croupier.db")
    (shop / "backups").mkdir()
    found = croupier("backup", *words, "--to", shop / "backups", "--json").json()
    assert found["data"] == str(shop / "backups" / "croupier.db")
    assert found["keys"] == str(shop / "backups" / "croupier.db.keys")
    again = croupier("backup", *words, "--to", shop / "backups")
    assert (again.code, len(again.err.splitlines())) == (2, 1)
    assert "exists already" in again.err
    bare = croupier("backup", *words, "--to", shop / "bare.db", "--no-keys")
    assert (bare.code, len(bare.out.splitlines())) == (0, 1)
    back = croupier("restore", *words, "--from", shop / "backups" / "croupier.db")
    assert back.code == 0
    assert "restored, with its keys" in back.out
    assert "set aside" in back.out
    croupier("restore", *words, "--from", shop / "backups" / "croupier.db")  # in the same second
    aside = [file.name for file in shop.glob("croupier.db.before-*")]
    assert len([name for name in aside if re.fullmatch(r".*Z(-\d+)?", name)]) == 2
    assert "the stored sums are what the log says" in croupier("replay", *words).out


@pytest.mark.parametrize("content", [b"", b"text", b"SQLite format 3\x00" + bytes(100)])
def test_a_backup_that_is_not_sound_is_not_restored(
    croupier: CommandLine, shop: Path, content: bytes
) -> None:
    data, bad = shop / "croupier.db", shop / "bad.db"
    before = data.read_bytes()
    bad.write_bytes(content)
    found = croupier("restore", "--data", data, "--from", bad)
    assert (found.code, len(found.err.splitlines())) == (2, 1)
    assert data.read_bytes() == before


def test_nothing_is_restored_under_a_running_ring(croupier: CommandLine, tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    with a_house(data, SINGLE) as house:
        make_backup(data, tmp_path / "saved.db", keys=False)
        found = croupier("restore", "--data", data, "--from", tmp_path / "saved.db")
        assert found.code == 2
        assert "in use by another croupier process" in found.err
        assert house.page(NAME)["name"] == NAME


def test_what_is_not_there_is_told(tmp_path: Path, shop: Path) -> None:
    with pytest.raises(ConfigError, match="no such data file"):
        make_backup(tmp_path / "nothing.db", tmp_path / "x.db", keys=True)
    with pytest.raises(ConfigError, match="no such folder"):
        make_backup(shop / "croupier.db", tmp_path / "no" / "x.db", keys=True)


@pytest.mark.parametrize("linked", [False, True])
def test_a_file_is_not_restored_onto_itself(
    croupier: CommandLine, shop: Path, *, linked: bool
) -> None:
    data, source = shop / "croupier.db", shop / "croupier.db"
    before = {each.name: each.read_bytes() for each in shop.iterdir()}
    if linked:
        source = shop / "link.db"
        source.symlink_to(data)
    found = croupier("restore", "--from", source, "--data", data)
    assert (found.code, len(found.err.splitlines())) == (2, 1)
    assert "is the data file itself" in found.err
    after = {each.name: each.read_bytes() for each in shop.iterdir() if not each.is_symlink()}
    assert after == before


def test_keys_are_exchanged_and_the_others_kept(croupier: CommandLine, shop: Path) -> None:
    data, keys = shop / "croupier.db", shop / "croupier.db.keys"
    saved = make_backup(data, shop / "saved.db", keys=True)
    own = keys.read_bytes()
    keys.write_bytes(b"others")
    found = croupier("restore", "--from", saved.data, "--data", data, "--json").json()
    assert (found["keys"], found["keys_restored"]) == (str(keys), True)
    assert (keys.read_bytes(), stat.S_IMODE(keys.stat().st_mode)) == (own, 0o600)
    (kept,) = (Path(each) for each in found["set_aside"] if each.endswith(".keys"))
    assert (kept.read_bytes(), stat.S_IMODE(kept.stat().st_mode)) == (b"others", 0o600)
    again = croupier("restore", "--from", saved.data, "--data", data, "--json").json()
    assert not [each for each in again["set_aside"] if each.endswith(".keys")]
    assert keys.read_bytes() == own


def test_keys_are_never_gone_while_they_are_exchanged(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step of the exchange is looked at: some keys are there, whole."""
    data, keys = shop / "croupier.db", shop / "croupier.db.keys"
    make_backup(data, shop / "saved.db", keys=True)
    known = {keys.read_bytes(), b"others"}
    keys.write_bytes(b"others")
    seen: list[bool] = []
    replace, unlink = Path.replace, Path.unlink

    def looked(real: Any) -> Any:
        def step(*given: Any, **named: Any) -> Any:
            made = real(*given, **named)
            seen.append(keys.exists() and keys.read_bytes() in known)
            return made

        return step

    monkeypatch.setattr(Path, "replace", looked(replace))
    monkeypatch.setattr(Path, "unlink", looked(unlink))
    restore(shop / "saved.db", data, ".old")
    assert len(seen) > 2
    assert all(seen)


def test_whether_keys_are_there_after_a_restore_without_them_is_told(
    croupier: CommandLine, shop: Path
) -> None:
    bare = make_backup(shop / "croupier.db", shop / "bare.db", keys=False).data
    stay = croupier("restore", "--from", bare, "--data", shop / "croupier.db")
    assert (stay.code, "those that were there stay" in stay.out) == (0, True)
    none = croupier("restore", "--from", bare, "--data", shop / "new.db")
    assert (none.code, "stay" in none.out) == (0, False)
    assert f"there is no {shop / 'new.db.keys'}" in none.out
    told = croupier("restore", "--from", bare, "--data", shop / "new.db", "--json").json()
    assert (told["keys"], told["keys_restored"]) == (None, False)


def test_a_backup_without_room_leaves_nothing_and_can_be_made_again(
    croupier: CommandLine, shop: Path
) -> None:
    """The disk is full at the keys, or at the data after them."""
    (shop / "saved").mkdir()
    words = ("backup", "--data", shop / "croupier.db", "--to", shop / "saved")
    for room in (0, 1_000):
        with no_file_longer_than(room):
            found = croupier(*words)
        assert (found.code, len(found.err.splitlines())) == (2, 1)
        assert not list((shop / "saved").iterdir())
    assert croupier(*words).code == 0


def test_a_restore_without_room_changes_nothing(croupier: CommandLine, shop: Path) -> None:
    make_backup(shop / "croupier.db", shop / "saved.db", keys=True)
    (shop / "croupier.db.keys").write_bytes(b"others")
    before = {each.name: each.read_bytes() for each in shop.iterdir()}
    with no_file_longer_than(8_192):
        found = croupier("restore", "--from", shop / "saved.db", "--data", shop / "croupier.db")
    assert (found.code, len(found.err.splitlines())) == (2, 1)
    assert {each.name: each.read_bytes() for each in shop.iterdir()} == before | {
        "croupier.db.lock": b""
    }
