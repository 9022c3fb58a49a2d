"""croupier arms, against doors that really listen."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.apps.house import NAME, TOP_BUTTON, a_house, listening
from tests.cli.command import CommandLine


def test_arms_are_listed_changed_and_their_history_told(
    croupier: CommandLine, tmp_path: Path
) -> None:
    with a_house(tmp_path / "croupier.db", TOP_BUTTON) as house, listening(house) as port:
        where = ("--server", f"http://127.0.0.1:{port}")
        assert "free-trial" in croupier("arms", NAME, *where).out
        put = croupier("arms", NAME, "put", "start-now", "--by", "ana", *where)
        assert (put.code, "start-now" in put.out) == (0, True)
        pinned = croupier("arms", NAME, "pin", "install", "--until", "2h", "--json", *where).json()
        assert pinned["pinned"] == "install"
        end = datetime.fromtimestamp(pinned["pinned_until"] / 1000, UTC).isoformat(" ", "seconds")
        croupier("arms", NAME, "put", "later", "--by", "bob", *where)
        history = croupier("arms", NAME, "history", *where).out.splitlines()[:4]
        assert history[1].endswith("version 2: put start-now (by ana)")
        assert history[2].endswith(f"pin install (by cli), install is pinned until {end}")
        assert history[3].endswith("version 4: put later (by bob)")
        times = [datetime.fromisoformat(line.partition("  ")[0]) for line in history]
        assert times == sorted(times)
        assert times[-1].tzinfo == UTC
        assert len(croupier("arms", NAME, "history", "--json", *where).json()["history"]) == 4
        refused = croupier("arms", NAME, "pause", "nope", *where)
        assert refused.code == 2
        assert "'nope' is not an arm" in refused.err


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "nonsense"])
def test_a_server_that_is_not_there_is_said(croupier: CommandLine, server: str) -> None:
    found = croupier("arms", NAME, "--server", server)
    assert found.code == 2
    assert "Traceback" not in found.err
