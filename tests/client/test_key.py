"""The client's API key: sent, never shown, and never in the way of a gateway's own."""

import logging
from pathlib import Path

import pytest

from croupier.client import Croupier
from croupier.client.key import with_key
from tests.apps.guarded import GUARDED, KEYS
from tests.apps.house import NAME, a_house, listening


def test_it_is_sent_and_never_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with a_house(tmp_path / "croupier.db", GUARDED) as house, listening(house) as port:
        url, defaults = f"http://127.0.0.1:{port}", {NAME: "install"}
        with Croupier(url, defaults, 5.0, api_key=KEYS["decide"]) as croupier:
            decided = croupier.decide(NAME, "u")
            assert not decided.is_default
            croupier.impression(decided)
            assert croupier.flush(5)
            assert croupier.stats()["events_accepted"] == 1
            assert KEYS["decide"] not in f"{croupier!r} {vars(croupier)}"
        with Croupier(url, defaults, 5.0, api_key=KEYS["ingest"]) as croupier:
            refused = croupier.decide(NAME, "u")
            assert (refused.reason, "has not the scope" in refused.detail) == ("refused", True)
        monkeypatch.setenv("CROUPIER_API_KEY", KEYS["admin"])
        with Croupier(url, defaults, 5.0, headers={"Authorization": "Basic x"}) as croupier:
            assert not croupier.decide(NAME, "u").is_default
        with Croupier(url, defaults, 5.0, api_key="") as croupier:
            assert croupier.decide(NAME, "u").reason == "refused"
    assert not [key for key in KEYS.values() if key in caplog.text]


def test_a_gateways_own_header_stays() -> None:
    assert with_key({"Authorization": "Bearer theirs"}, "ours") == {
        "authorization": "Bearer theirs",
        "x-api-key": "ours",
    }


@pytest.mark.parametrize("key", ["a b", "a\nb", "clé"])
def test_what_cannot_be_a_key_is_refused_unread(key: str) -> None:
    with pytest.raises(ValueError, match="api_key") as refused:
        Croupier("http://127.0.0.1:9", {}, api_key=key)
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", ["http://ana:swordfish@h:1", "http://ana:swordfish@h:no"])
def test_a_password_in_the_address_is_refused_unread(url: str) -> None:
    with pytest.raises(ValueError, match="without a user or a password") as refused:
        Croupier(url, {})
    assert "swordfish" not in str(refused.value)
