"""The secrets: made once, kept to ourselves, rotated, and never silently replaced."""

import json
import os
import stat
from pathlib import Path

import pytest

from croupier.config.errors import ConfigError
from croupier.config.keys import load_keys
from croupier.core.decide import hash_unit
from croupier.core.token import Signer
from tests.apps.house import House, a_house

ONE, TWO, UNIT = "11" * 32, "22" * 32, "33" * 32


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "croupier.db"


def keys_file(data: Path) -> Path:
    return data.with_name("croupier.db.keys")


def test_the_first_start_makes_keys_that_only_the_owner_can_read(data: Path) -> None:
    before = os.umask(0)
    try:
        keys = load_keys(data, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(keys_file(data).stat().st_mode) == 0o600
    assert list(keys.token) == [1]
    assert len(keys.token[1]) == len(keys.unit) == 32
    assert keys.unit != keys.token[1]


def test_the_next_start_finds_them_again(data: Path) -> None:
    first = load_keys(data, {})
    data.touch()
    assert load_keys(data, {}) == first
    assert load_keys(data, {}, renew=True) == first


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    one, two = (load_keys(tmp_path / name, {}) for name in ("one.db", "two.db"))
    assert one.token != two.token
    assert one.unit != two.unit


def test_the_environment_goes_first_and_nothing_is_written(data: Path) -> None:
    environment = {"CROUPIER_TOKEN_KEYS": f"1:{ONE}, 2:{TWO}", "CROUPIER_UNIT_KEY": UNIT}
    keys = load_keys(data, environment)
    assert keys.token == {1: bytes.fromhex(ONE), 2: bytes.fromhex(TWO)}
    assert keys.unit == bytes.fromhex(UNIT)
    assert not keys_file(data).exists()


@pytest.mark.parametrize(
    ("token", "unit", "variable"),
    [
        (ONE, UNIT, "CROUPIER_TOKEN_KEYS"),
        ("", UNIT, "CROUPIER_TOKEN_KEYS"),
        ("1:xyz", UNIT, "CROUPIER_TOKEN_KEYS"),
        ("1:1234", UNIT, "CROUPIER_TOKEN_KEYS"),
        (f"one:{ONE}", UNIT, "CROUPIER_TOKEN_KEYS"),
        (f"1:{ONE};2:{TWO}", UNIT, "CROUPIER_TOKEN_KEYS"),
        (f"1:{'11' * 65}", UNIT, "CROUPIER_TOKEN_KEYS"),
        (f"1:{ONE}", "", "CROUPIER_UNIT_KEY"),
        (f"1:{ONE}", "xyz", "CROUPIER_UNIT_KEY"),
        (f"0:{ONE}", UNIT, "CROUPIER_TOKEN_KEYS"),
        (f"256:{ONE}", UNIT, "CROUPIER_TOKEN_KEYS"),
        (f"-1:{ONE}", UNIT, "CROUPIER_TOKEN_KEYS"),
        (f"1:{ONE},1:{TWO}", UNIT, "CROUPIER_TOKEN_KEYS"),
    ],
)
def test_garbage_in_the_environment_is_refused_by_name(
    data: Path, token: str, unit: str, variable: str
) -> None:
    with pytest.raises(ConfigError, match=variable) as raised:
        load_keys(data, {"CROUPIER_TOKEN_KEYS": token, "CROUPIER_UNIT_KEY": unit})
    assert ONE not in str(raised.value), "a secret in an error message"


def test_half_an_environment_is_refused(data: Path) -> None:
    with pytest.raises(ConfigError, match="CROUPIER_UNIT_KEY"):
        load_keys(data, {"CROUPIER_TOKEN_KEYS": f"1:{ONE}"})
    with pytest.raises(ConfigError, match="CROUPIER_TOKEN_KEYS"):
        load_keys(data, {"CROUPIER_UNIT_KEY": UNIT})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "garbage",
        "[]",
        "{}",
        "null",
        '{"token":5,"unit":5}',
        json.dumps({"token": {"1": ONE}}),
        json.dumps({"token": {"1": ONE}, "unit": "12"}),
        json.dumps({"token": {"one": ONE}, "unit": UNIT}),
        json.dumps({"token": [ONE], "unit": UNIT}),
        "\udcff",
        json.dumps({"token": {}, "unit": UNIT}),
        json.dumps({"token": {"300": ONE}, "unit": UNIT}),
        json.dumps({"token": {"１": ONE}, "unit": UNIT}),
        "[" * 100_000,
    ],
)
def test_garbage_in_the_file_is_refused_by_name(data: Path, content: str) -> None:
    keys_file(data).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=f"^{keys_file(data)}: not a keys file"):
        load_keys(data, {})


def test_keys_that_are_gone_though_data_is_there_are_not_replaced(data: Path) -> None:
    data.touch()
    with pytest.raises(ConfigError, match=r"missing, though .* exists.*--new-keys"):
        load_keys(data, {})
    assert not keys_file(data).exists()
    assert load_keys(data, {}, renew=True) == load_keys(data, {})


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file or directory"):
        load_keys(tmp_path / "nowhere" / "croupier.db", {})


# --- rotation, through the doors ------------------------------------------------------------------


def rotate(data: Path, *, forget: bool = False) -> None:
    """What an operator does: add a key with a higher number, later take the old one away."""
    found = json.loads(keys_file(data).read_text())
    found["token"] = {"2": TWO} | ({} if forget else found["token"])
    keys_file(data).write_text(json.dumps(found))


def test_after_a_rotation_old_tokens_verify_and_new_ones_are_signed_anew(data: Path) -> None:
    with a_house(data) as house:
        old = house.decide("u")
        rotate(data)
        house.reopen(toml())
        new = house.decide("u")
        newest = Signer({2: bytes.fromhex(TWO)}, ["top-button"])
        assert newest.verify(new["token"]).tracking_id.hex() == new["tracking_id"]
        assert accepted(house, old["token"], new["token"]) == 2
        assert house.read(old["token"]).unit == house.read(new["token"]).unit
        rotate(data, forget=True)
        house.reopen(toml())
        assert accepted(house, new["token"]) == 1
        answer = house.refusal({"kind": "impression", "token": old["token"]})
        assert answer == "token was signed with a key that is not in use"


def test_the_unit_key_is_separate_and_stays(data: Path) -> None:
    keys = load_keys(data, {})
    with a_house(data) as house:
        unit = house.read(house.decide("u-17")["token"]).unit
    assert unit == hash_unit(keys.unit, "u-17")


def toml() -> str:
    from tests.apps.house import TOP_BUTTON

    return TOP_BUTTON


def accepted(house: House, *tokens: str) -> int:
    answer = house.report(*({"kind": "impression", "token": token} for token in tokens))
    return int(answer["accepted"])
