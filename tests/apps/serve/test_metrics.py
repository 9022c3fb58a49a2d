"""/metrics: parsed by Prometheus's own parser, named as Prometheus asks for."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.apps.house import NAME, House

UNITS = ("seconds", "bytes", "ratio", "entries", "total", "info")


def test_every_family_is_described_and_named_by_convention(house: House) -> None:
    house.trial("u", "click")
    house.ask({"unit": ""})
    house.report({"kind": "a b", "token": ""})
    answer = house.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = [
        family
        for family in text_string_to_metric_families(answer.text)
        if family.name.startswith("croupier_")
    ]
    assert len(families) >= 10
    for family in families:
        assert family.documentation, family.name
        assert re.fullmatch(r"croupier(_[a-z]+)+", family.name)
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name


def test_the_type_of_the_answer_is_prometheus_text(shared: House) -> None:
    assert "version=" in shared.client.get("/metrics").headers["content-type"]


def test_what_happened_is_counted(house: House) -> None:
    house.trial("u", "click")
    house.settle()
    house.until(lambda page: page["version"] == 2)
    mine = {"experiment": NAME}
    assert house.metric("croupier_decisions_total", **mine, reason="policy") == 1
    assert house.metric("croupier_events_accepted_total") == 2
    assert house.metric("croupier_observations_total", **mine) == 1
    assert house.metric("croupier_late_total", **mine) == 0
    assert house.metric("croupier_open_stories", **mine) == 0
    assert house.metric("croupier_snapshot_version", **mine) == 2
    assert house.metric("croupier_ring_up") == 1
    assert house.metric("croupier_log_lag_entries") == 0
    assert house.metric("croupier_watermark_seconds") == pytest.approx(
        house.clock.now() / 1000, abs=600
    )
    shares = [value for (name, _), value in house.metrics().items() if name == "croupier_weight"]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(1)


def test_what_cannot_be_done_is_counted_too(house: House) -> None:
    house.embedded.ring._errors["test"] = "a test stopped it"
    assert house.metric("croupier_ring_up") == 0
    house.decide()
    assert house.client.get("/healthz").status_code == 503
    assert house.client.get("/healthz").json() == {"ok": False, "error": "a test stopped it"}


@pytest.mark.parametrize(
    "sample",
    [
        ("croupier_decisions_total", {"experiment": NAME, "reason": "policy"}),
        ("croupier_events_rejected_total", {"reason": "token"}),
    ],
)
def test_a_counter_is_there_before_its_first_event(
    house: House, sample: tuple[str, dict[str, str]]
) -> None:
    name, labels = sample
    assert (name, frozenset(labels.items())) in house.metrics()


def test_degraded_decisions_can_be_counted(house: House) -> None:
    house.embedded.ring._errors["test"] = "a test stopped it"
    house.decide()
    assert any(
        "degraded" in name or ("degraded", "true") in labels
        for (name, labels), value in house.metrics().items()
        if value
    )
