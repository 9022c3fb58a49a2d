"""Deciding in process: as the server decides, and the default whatever is wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.client import Decided
from croupier.config.errors import ConfigError
from croupier.local import LocalCroupier
from tests.apps.house import NAME, TOP_BUTTON, House, a_house, listening

DEFAULTS = {NAME: "install", "by-unit": "x", "held-out": "x", "carousel": ["x", "y"]}
REST = """
[[experiment]]
name = "{}"
arms = ["x", "y", "z"]
default = {}
reward = {{ click = 1.0 }}
{}
"""
TOML = TOP_BUTTON + "".join(
    REST.format(*parts)
    for parts in (
        ("by-unit", '"x"', 'sticky = "unit"'),
        ("held-out", '"x"', "holdout = 0.5"),
        ("carousel", '["x", "y"]', "slots = 2"),
    )
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("local") / "croupier.db", TOML) as opened:
        yield opened


@pytest.fixture
def local(house: House) -> Iterator[LocalCroupier]:
    with beside(house.data) as made:
        yield made


def beside(data: Path, **settings: Any) -> LocalCroupier:
    """One that looks often."""
    return LocalCroupier(f"sqlite:///{data}", DEFAULTS, **({"every": 0.01} | settings))


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- as the server decides ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(house: House) -> Iterator[LocalCroupier]:
    with beside(house.data) as made:
        yield made


@given(
    st.sampled_from(sorted(DEFAULTS)),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    st.booleans(),
)
def test_a_unit_is_shown_what_the_server_would_show_it(
    house: House, shared: LocalCroupier, name: str, unit: str, restricted: bool
) -> None:
    last = DEFAULTS[name] if isinstance(DEFAULTS[name], str) else "z"
    more = {"exclude": [last]} if restricted else {}
    answer = house.decide(unit, name, **more)
    mine = shared.decide(name, unit, **more)  # type: ignore[arg-type]
    theirs, ours = house.read(answer["token"]), house.read(mine.token)
    if ours.session == theirs.session:  # else a session ended in between
        assert ours.slate == theirs.slate
        assert ours.propensities == theirs.propensities
        shown = [{"arm": s.arm, "slot": s.slot, "propensity": s.propensity} for s in mine.slate]
        assert shown == [
            {key: slot[key] for key in ("arm", "slot", "propensity")} for slot in answer["slate"]
        ]
    assert (ours.unit, ours.experiment, ours.reason) == (theirs.unit, name, answer["reason"])
    assert (ours.declaration, ours.snapshot) == (theirs.declaration, theirs.snapshot)
    assert (mine.version, mine.tracking_id) == (answer["version"], ours.tracking_id.hex())
    assert not mine.is_default
    assert not mine.degraded


def test_what_the_server_changes_is_followed(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db") as house, beside(house.data) as local:
        change = f"/v1/experiments/{NAME}/arms"
        for body in (
            {"change": "put", "arm": "new"},
            {"change": "pin", "arm": "new"},
        ):
            assert house.post(change, body).status_code == 200
        until(lambda: local.decide(NAME, "u").reason == "pinned")
        decided = local.decide(NAME, "u")
        assert (decided.arm, house.read(decided.token).reason) == ("new", "pinned")
        house.reopen(TOP_BUTTON.replace('"15m"', '"10m"'))
        until(lambda: house.read(local.decide(NAME, "u").token).declaration == 2)
        assert local.stats()["defaulted"] == 0


def test_reports_over_http_are_learned_exactly(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db") as house, listening(house) as port:
        with beside(house.data, report_url=f"http://127.0.0.1:{port}") as local:
            for number in range(50):
                decided = local.decide(NAME, f"u-{number}", exposed=number % 2 == 0)
                if number % 2:
                    local.impression(decided)
                if number % 5 == 0:
                    local.outcome(decided.token, "click")
            assert local.flush(10)
            stats = local.stats()
        assert (stats["decided"], stats["events_accepted"]) == (50, 60)
        page = house.settle()
        assert page["observations"] == 50
        assert sum(arm["reward_sum"] for arm in page["arms"]) == 10.0
        assert page["late"] == 0


def test_ids_are_unique_over_threads(local: LocalCroupier) -> None:
    found: list[list[str]] = [[] for _ in range(4)]

    def many(into: list[str]) -> None:
        into += (local.decide(NAME, str(n)).tracking_id for n in range(1_000))

    threads = [threading.Thread(target=many, args=(each,)) for each in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for each in found for one in each}) == 4_000


# --- whatever is wrong ----------------------------------------------------------------------------


def is_default(decided: Decided, reason: str) -> bool:
    return (decided.arm, decided.token, decided.is_default, decided.reason) == (
        "install",
        "",
        True,
        reason,
    )


def test_before_there_is_anything_the_default_is_shown(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    with beside(data) as local:
        assert is_default(local.decide(NAME, "u"), "unreachable")
        assert not list(tmp_path.iterdir())
        with a_house(data):
            until(lambda: not local.decide(NAME, "u").is_default)


@pytest.mark.parametrize("spoil", [b"", b"no keys at all", b'{"token":{},"unit":"00"}'])
def test_keys_that_are_none(tmp_path: Path, spoil: bytes) -> None:
    data = tmp_path / "croupier.db"
    with a_house(data):
        pass
    data.with_name("croupier.db.keys").write_bytes(spoil)
    with beside(data) as local:
        assert is_default(local.decide(NAME, "u"), "unreachable")
    data.with_name("croupier.db.keys").unlink()
    with beside(data) as local:
        assert is_default(local.decide(NAME, "u"), "unreachable")
    assert not data.with_name("croupier.db.keys").exists()


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    data.write_bytes(b"something else\n" * 100)
    with beside(data) as local:
        assert is_default(local.decide(NAME, "u"), "unreachable")
        assert local.stats()["looks_failed"] > 0


def test_what_can_be_read_no_more_stays_in_use_and_is_flagged(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    with a_house(data) as house, beside(data, stale_after=0.2) as local:
        assert not local.decide(NAME, "u").degraded
        keys = data.with_name("croupier.db.keys")
        away = keys.rename(tmp_path / "away")
        until(lambda: local.decide(NAME, "u").degraded)
        decided = local.decide(NAME, "u")
        assert not decided.is_default
        assert house.read(decided.token).degraded
        assert local.stats()["is_degraded"] == 1
        away.rename(keys)
        until(lambda: not local.decide(NAME, "u").degraded)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"unit": ""}, "refused"),
        ({"unit": "u" * 513}, "refused"),
        ({"unit": 7}, "refused"),
        ({"unit": "\ud83d"}, "error"),
        ({"unit": "u", "exclude": "install"}, "refused"),
        ({"unit": "u", "exclude": ["nobody"]}, "refused"),
        ({"unit": "u", "eligible": []}, "refused"),
        ({"unit": "u", "eligible": 7}, "error"),
    ],
)
def test_a_wrong_call_is_shown_the_default(local: LocalCroupier, asked: Any, reason: str) -> None:
    assert is_default(local.decide(NAME, **asked), reason)


def test_what_is_not_declared(local: LocalCroupier) -> None:
    assert local.decide("nobody", "u").reason == "undeclared"
    assert local.decide("nobody", "u", default="x")[:5] == ("x", "", 1.0, "refused", True)
    local.close()
    assert is_default(local.decide(NAME, "u"), "closed")


def test_without_a_place_for_reports_they_are_counted_as_skipped(local: LocalCroupier) -> None:
    local.impression(local.decide(NAME, "u"))
    local.outcome("token", "click")
    assert local.stats()["events_skipped"] == 2
    assert local.flush()


def test_settings_that_cannot_work_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected the data file"):
        LocalCroupier("carrier-pigeon://x", {})
    with pytest.raises(ConfigError, match="is a folder"):
        LocalCroupier(str(tmp_path), {})
    with pytest.raises(ValueError, match="positive"):
        LocalCroupier("x.db", {}, every=0)
    with pytest.raises(ValueError, match="without report_url"):
        LocalCroupier("x.db", {}, batch=7)
