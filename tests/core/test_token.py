"""Tokens: what we signed is believed, all else raises TokenError and nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.records import Decision
from croupier.core.token import Signer, TokenError, experiment_tag

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
DECISION = Decision(
    tracking_id=bytes.fromhex("0199f6a1b2c30102030405060708" + "09"),
    experiment="top-button",
    unit=bytes(range(16)),
    session=1_980_000,
    declaration=3,
    snapshot=1_234,
    slate=(2,),
    propensities=(0.25,),
)
GOLDEN = (
    "AQEBmfahssMBAgMEBQYHCAn_MFOMWUAAAQIDBAUGBwgJCgsMDQ4PAAAAAAAeNmAAAwAABNIAAQACPoAAAMbK67mjotKsCY_l"
    "Ci-poRw"
)
"""Signed by version 0.1.0; tokens live for hours, so an upgrade must still read it."""


def signer(key: bytes = KEY, key_id: int = 1) -> Signer:
    return Signer({key_id: key}, ["top-button", "banner"])


def raw(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def as_token(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def replaced(**fields: object) -> Decision:
    known = {name: getattr(DECISION, name) for name in DECISION.__struct_fields__}
    return Decision(**(known | fields))


DECISIONS = st.builds(
    Decision,
    tracking_id=st.binary(min_size=15, max_size=15),
    experiment=st.sampled_from(("top-button", "banner")),
    unit=st.binary(min_size=16, max_size=16),
    session=st.integers(0, 2**64 - 1),
    declaration=st.integers(0, 2**16 - 1),
    snapshot=st.integers(0, 2**32 - 1),
    slate=st.lists(st.integers(0, 2**16 - 1), min_size=3, max_size=3).map(tuple),
    propensities=st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3).map(tuple),
    reason=st.sampled_from(("policy", "holdout", "pinned", "default")),
    degraded=st.booleans(),
)


@given(DECISIONS)
def test_a_decision_comes_back_whole(decision: Decision) -> None:
    assert signer().verify(signer().sign(decision)) == decision


def test_a_token_of_version_one_is_read_for_ever() -> None:
    assert signer().verify(GOLDEN) == DECISION


def test_a_token_of_one_slot_is_short_and_fits_a_url() -> None:
    token = signer().sign(DECISION)
    assert len(token) <= 140
    assert token.replace("-", "").replace("_", "").isalnum()
    twelve = replaced(slate=tuple(range(12)), propensities=(0.5,) * 12)
    assert len(signer().sign(twelve)) == len(token) + 11 * 8


def test_every_changed_byte_is_noticed() -> None:
    body = raw(signer().sign(DECISION))
    for place in range(len(body)):
        for bit in range(8):
            changed = bytearray(body)
            changed[place] ^= 1 << bit
            with pytest.raises(TokenError):
                signer().verify(as_token(bytes(changed)))


def test_every_changed_character_is_refused_or_means_the_same() -> None:
    """The last character has bits that carry nothing."""
    token = signer().sign(DECISION)
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        try:
            assert signer().verify(changed) == DECISION
        except TokenError:
            continue
        assert place == len(token) - 1


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 16, 17, 50, 100])
def test_a_token_that_is_cut_or_grown_is_refused(cut: int) -> None:
    token = signer().sign(DECISION)
    for other in (token[:-cut], token[cut:], token + "A" * cut):
        with pytest.raises(TokenError):
            signer().verify(other)


def test_a_slot_that_is_taken_from_a_slate_is_noticed() -> None:
    body = raw(signer().sign(replaced(slate=(1, 2), propensities=(0.5, 0.5))))
    with pytest.raises(TokenError, match="does not match"):
        signer().verify(as_token(body[:-22] + body[-16:]))


def test_another_key_of_the_same_number_is_refused() -> None:
    with pytest.raises(TokenError, match="does not match"):
        signer(OTHER).verify(signer().sign(DECISION))


def test_another_key_number_is_refused() -> None:
    with pytest.raises(TokenError, match="not in use"):
        signer(key_id=2).verify(signer().sign(DECISION))


def test_keys_rotate() -> None:
    """The newest signs; the old one verifies until it is taken away."""
    old, both, new = signer(), Signer({1: KEY, 2: OTHER}, ["top-button"]), signer(OTHER, 2)
    assert both.verify(old.sign(DECISION)) == DECISION
    assert new.verify(both.sign(DECISION)) == DECISION
    with pytest.raises(TokenError):
        new.verify(old.sign(DECISION))


def test_an_experiment_that_is_not_declared_is_refused() -> None:
    with pytest.raises(TokenError, match="not declared"):
        Signer({1: KEY}, ["banner"]).verify(signer().sign(DECISION))


def test_an_experiment_may_be_admitted_later() -> None:
    one = Signer({1: KEY}, [])
    one.admit("top-button")
    one.admit("top-button")
    assert one.verify(signer().sign(DECISION)) == DECISION


def test_experiments_have_tags_of_their_own() -> None:
    assert len({experiment_tag(f"experiment-{number}") for number in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    "keys", [{}, {0: KEY}, {256: KEY}, {-1: KEY}, {1: b"short"}, {1: KEY, 2: b"fifteen bytes!!"}]
)
def test_unusable_keys_are_refused_at_start(keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Signer(keys, [])


JUNK = (
    "",
    "A",
    "AAAA",
    "=" * 103,
    "A" * 103,
    "AQE" + "A" * 100,
    "a" * 2_048,
    "a" * 2_049,
    "é" * 103,
    "\x00" * 103,
    "\ud800" * 103,
    " " * 103,
    "A" * 51 + "\n" + "A" * 51,
    "null",
)


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_raises_nothing_but_token_error(junk: str) -> None:
    with pytest.raises(TokenError):
        signer().verify(junk)


@given(st.one_of(st.text(), st.binary(max_size=200).map(as_token)))
def test_any_text_raises_nothing_but_token_error(text: str) -> None:
    with pytest.raises(TokenError):
        signer().verify(text)


@pytest.mark.parametrize("space", [" ", "\n", "\t", "=", "===="])
def test_a_token_has_no_ornaments(space: str) -> None:
    token = signer().sign(DECISION)
    for ornamented in (space + token, token[:8] + space + token[8:]):
        with pytest.raises(TokenError):
            signer().verify(ornamented)


@pytest.mark.parametrize(
    ("place", "value"), [(0, 2), (53, 0x04), (53, 0x0F), (53, 0x8F), (54, 0), (54, 2), (54, 255)]
)
def test_what_a_newer_server_signs_with_our_key_is_refused_not_stumbled_over(
    place: int, value: int
) -> None:
    """Bytes 53 and 54 are the flags (low four bits: the reason) and the number of slots."""
    one = signer()
    body = bytearray(raw(one.sign(DECISION))[:-16])
    body[place] = value
    mac = one._macs[1].copy()
    mac.update(bytes(body))
    with pytest.raises(TokenError):
        one.verify(as_token(bytes(body) + mac.digest()))
