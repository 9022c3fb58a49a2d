"""Records on the log: every old one is read for ever, newer fields are kept, the rest is refused.

`tests/golden/<type>.v<version>.bin` holds one record as the first program that knew it wrote it.
Such a file is never changed; where a default changes, the value here, written in full, must not.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from croupier.core import codec
from croupier.core.codec import AnyRecord, UnreadableRecordError
from croupier.core.experiment import Experiment
from croupier.core.open_trials import OpenTrials
from croupier.core.policies.thompson import Thompson
from croupier.core.records import (
    Arm,
    ArmSet,
    Decision,
    Declaration,
    Event,
    Funnel,
    Imported,
    Marker,
    Observation,
    Record,
    Refill,
    Tick,
    TimedObservation,
)
from croupier.core.reward import Reward, Term

GOLDEN = Path(__file__).parents[1] / "golden"
DECISION = Decision(
    tracking_id=bytes(range(15)),
    experiment="top-button",
    unit=bytes(range(16)),
    session=1_980_000,
    declaration=3,
    snapshot=1_234,
    slate=(2, 7),
    propensities=(0.25, 0.5),
    reason="holdout",
    degraded=True,
)
RECORDS: dict[str, Record] = {
    "decision": DECISION,
    "event": Event(
        decision=DECISION,
        kind="purchase",
        at=1_763_750_000_123,
        slot=1,
        value=12_990_000,
        id="evt-9",
    ),
    "tick": Tick(),
    "marker": Marker(source=3, watermark=1_763_750_000_123),
    "funnel": Funnel(
        decision=DECISION,
        shown=(1_763_750_000_000, 0),
        outcomes=({"click": (2, 0), "purchase": (1, 12_990_000)}, {}),
    ),
    "observation": Observation(
        id=bytes(range(16)),
        experiment="top-button",
        arm=2,
        slot=0,
        unit=bytes(range(16)),
        declaration=3,
        reward_version=2,
        reason="policy",
        propensity=0.25,
        reward=1_129_900,
        at=1_763_750_000_000,
        repeats=4,
    ),
    "timed_observation": TimedObservation(
        id=bytes(range(16)),
        experiment="top-button",
        arm=2,
        slot=0,
        unit=bytes(range(16)),
        declaration=3,
        reward_version=2,
        reason="policy",
        propensity=0.25,
        reward=1_000_000,
        at=1_763_750_000_000,
        repeats=0,
        delay=86_400_000,
    ),
    "declaration": Declaration(
        version=3,
        reward_version=2,
        at=1_763_700_000_000,
        spec=Experiment(
            name="top-button",
            arms=("install", "free-trial"),
            default="install",
            reward=Reward(
                {
                    "click": Term(weight=1.0, of="count", cap=1, max=None),
                    "purchase": Term(weight=0.01, of="value", cap=1, max=500.0),
                }
            ),
            slots=1,
            policy=Thompson(floor=0.02, half_life=86_400_000, sliding_window=None),
            expose_within=300_000,
            window=900_000,
            lateness=60_000,
            session=None,
            refresh=10_000,
            sticky="unit",
            holdout=0.05,
            surface="top-page",
            posterior="auto",
            period=3_600_000,
        ),
    ),
    "arm_set": ArmSet(
        experiment="top-button",
        version=2,
        at=1_763_700_000_000,
        arms=(
            Arm(number=0, name="install", status="active"),
            Arm(number=1, name="無料", status="removed"),
        ),
    ),
    "refill": Refill(
        experiment="top-button", reward_version=2, watermark=1_763_750_000_123, at=1_763_750_009_000
    ),
    "imported": Imported(
        id=bytes(range(16)),
        content=bytes(range(16, 32)),
        experiment="top-button",
        arm=1,
        slot=0,
        reward_version=2,
        at=1_763_750_000_123,
        sums="1000 41000000 41000000000000 1000000000 1000000000000000 41000000000000 "
        "41000000000000000000 41000000000000000000000000",
        key="2026-11-22",
    ),
    "open_trials": OpenTrials(
        experiment="top-button",
        reward_version=2,
        source=3,
        watermark=1_763_750_000_123,
        until=1_763_768_900_123,
        window=1_209_600_000,
        rows=((0, 0, 2, 4_100, {}), (7, 1, 32, 390, {0: 11, 31: 2})),
        part=1,
    ),
}
BARE = {
    "event": Event(decision=DECISION, kind="impression", at=1_763_750_000_123),
    "arm_set": ArmSet(experiment="b", version=1, at=0, arms=()),
}
"""The same types with all that has a default left out of the bytes."""

every_type = pytest.mark.parametrize("name", RECORDS)


def map_of(encoded: bytes) -> dict[str, Any]:
    fields = msgspec.msgpack.decode(encoded)
    assert isinstance(fields, dict)
    return fields


def packed(fields: Mapping[str, Any]) -> bytes:
    return msgspec.msgpack.encode(fields)


# --- golden files ---------------------------------------------------------------------------------


def test_every_type_of_record_has_a_golden_file() -> None:
    types = {str(record.__struct_config__.tag): record.VERSION for record in get_args(AnyRecord)}
    assert RECORDS.keys() == types.keys()
    for name, newest in types.items():
        for version in range(1, newest + 1):
            assert (GOLDEN / f"{name}.v{version}.bin").exists()


@every_type
def test_a_golden_record_of_version_one_is_read_for_ever(name: str) -> None:
    assert codec.decode((GOLDEN / f"{name}.v1.bin").read_bytes()) == RECORDS[name]


@every_type
def test_what_is_written_today_is_read_today(name: str) -> None:
    for record in (RECORDS[name], BARE.get(name, Tick())):
        assert codec.decode(codec.encode(record)) == record


def test_a_golden_payload_of_many_records_is_read_for_ever() -> None:
    payload = (GOLDEN / "payload.v1.bin").read_bytes()
    assert codec.decode_many(payload) == list(RECORDS.values())
    golden = [(GOLDEN / f"{name}.v1.bin").read_bytes() for name in RECORDS]
    assert codec.join(golden) == payload


def test_what_has_no_guardrail_or_surrogate_is_written_as_before_there_were_any() -> None:
    for name in ("observation", "declaration"):
        told = map_of(codec.encode(RECORDS[name]))
        assert not {"measured", "guardrail", "surrogate"} & {*told, *told.get("spec", {})}


def test_what_guardrails_measured_is_read_for_ever() -> None:
    guarded = replace(RECORDS["observation"], measured={"refund:0a1b2c3d": 1_000_000})
    assert codec.decode((GOLDEN / "observation.measured.bin").read_bytes()) == guarded


def test_a_decision_knows_its_time() -> None:
    assert DECISION.at == int.from_bytes(bytes(range(6)), "big")


# --- payloads -------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(sorted(RECORDS)), max_size=8))
def test_joined_records_come_back_in_order(names: list[str]) -> None:
    records = [RECORDS[name] for name in names]
    payload = codec.join([codec.encode(record) for record in records])
    assert codec.decode_many(payload) == records
    assert list(codec.decode_all([payload, payload])) == records * 2


def test_a_payload_of_many_thousand_records_is_read() -> None:
    assert codec.decode_many(codec.join([codec.encode(Tick())] * 70_000)) == [Tick()] * 70_000


# --- newer writers --------------------------------------------------------------------------------


@every_type
def test_fields_of_a_newer_writer_are_kept(name: str) -> None:
    newer = map_of(codec.encode(RECORDS[name])) | {"colour": "red", "nested": {"a": [1, b"2"]}}
    record = codec.decode(packed(newer))
    assert record.extra == {"colour": "red", "nested": {"a": [1, b"2"]}}
    assert map_of(codec.encode(record)) == newer
    assert codec.decode(codec.encode(record)) == record


@pytest.mark.parametrize("name", ["event", "funnel"])
def test_fields_that_a_newer_writer_added_to_a_decision_are_kept(name: str) -> None:
    """A decision lies inside of each event and funnel: it is where a new field is most likely."""
    newer = map_of(codec.encode(RECORDS[name]))
    newer["decision"]["context"] = [0.5, 1.0]
    record = codec.decode(packed(newer))
    assert record.decision.extra == {"context": [0.5, 1.0]}
    assert map_of(codec.encode(record)) == newer


@every_type
def test_a_newer_version_stops_the_reader_loudly(name: str) -> None:
    for more in ({"v": 2}, {"v": 2, "colour": "red"}):
        newer = map_of(codec.encode(RECORDS[name])) | more
        with pytest.raises(UnreadableRecordError, match=f"{name} record of version 2"):
            codec.decode(packed(newer))


@pytest.mark.parametrize("name", ["event", "funnel"])
def test_a_newer_version_of_a_decision_inside_stops_the_reader_too(name: str) -> None:
    for more in ({"v": 2}, {"v": 2, "colour": "red"}):
        newer = map_of(codec.encode(RECORDS[name]))
        newer["decision"] |= more
        with pytest.raises(UnreadableRecordError, match="decision record of version 2"):
            codec.decode(packed(newer))


@pytest.mark.parametrize("fields", [{"type": "telepathy"}, {"type": ""}, {"type": "Tick", "v": 9}])
def test_an_unknown_type_stops_the_reader_loudly(fields: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRecordError, match="unknown record type"):
        codec.decode(packed(fields))


def test_one_unreadable_record_of_many_is_not_passed_over() -> None:
    payload = codec.join([codec.encode(Tick()), packed({"type": "telepathy"})])
    with pytest.raises(UnreadableRecordError):
        codec.decode_many(payload)


# --- damage ---------------------------------------------------------------------------------------


@every_type
def test_a_payload_cut_anywhere_is_refused(name: str) -> None:
    newer = packed(map_of(codec.encode(RECORDS[name])) | {"colour": "red"})
    for encoded in (codec.encode(RECORDS[name]), newer):
        payload = codec.join([codec.encode(Tick()), encoded])
        for cut in range(len(payload)):
            with pytest.raises(UnreadableRecordError):
                codec.decode_many(payload[:cut])


@pytest.mark.parametrize(
    "payload",
    [
        b"\x91\x80",
        b"\x91\x81\xa1v\x01",
        b"",
        b"\xc0",
        b"\x01",
        b"\xa3abc",
        b"\x91\x01",
        b"\x91\xc0",
        b"\x91\x91\x80",
        packed({"type": "tick"}),
        packed({}),
        msgspec.msgpack.encode([{"type": ["tick"]}]),
        msgspec.msgpack.encode([{"type": "tick", "v": "1", "x": 0}]),
        msgspec.msgpack.encode([{"type": "tick", "v": None, "x": 0}]),
        msgspec.msgpack.encode([{"type": "tick", 1: 2}]),
        b"\x91\x81\xa4type\xa4\xff\xfe\xfd\xfc",
        b"\x91" * 100_000,
        b"\xff" * 50,
    ],
    ids=lambda payload: payload[:12].hex(),
)
def test_a_damaged_payload_is_refused_and_nothing_else_happens(payload: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        codec.decode_many(payload)


@settings(max_examples=100)
@given(name=st.sampled_from(sorted(RECORDS)), place=st.integers(0), byte=st.integers(0, 255))
def test_a_changed_byte_is_read_as_something_or_refused(name: str, place: int, byte: int) -> None:
    payload = bytearray(codec.join([codec.encode(RECORDS[name])]))
    payload[place % len(payload)] = byte
    try:
        codec.decode_many(bytes(payload))
    except UnreadableRecordError:
        return


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("event", "at", "yesterday"),
        ("event", "decision", None),
        ("decision", "reason", "whim"),
        ("observation", "reward", 0.5),
        ("funnel", "outcomes", [{"click": [1]}]),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(name: str, field: str, value: Any) -> None:
    fields = map_of(codec.encode(RECORDS[name])) | {field: value}
    with pytest.raises(UnreadableRecordError, match=rf"damaged {name} record.*{field}"):
        codec.decode(packed(fields))


# --- what may be declared, may be written ---------------------------------------------------------


def test_the_largest_reward_that_may_be_declared_can_be_written() -> None:
    """Whatever a declaration is allowed, a trial of it must not stop the ring."""
    for power in range(9):
        for term in (
            Term(weight=-(10.0**power), of="value", max=999_999_999.0),
            Term(weight=10.0**power, of="value", max=10.0 ** (8 - power)),
            Term(weight=10.0**power, cap=256),
        ):
            if term.problem() is None:
                reward = term.worth((256, 256 * 10**15))
                record = msgspec.structs.replace(RECORDS["observation"], reward=reward)
                assert codec.decode(codec.encode(record)) == record
