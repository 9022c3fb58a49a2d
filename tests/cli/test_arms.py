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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "install"), "list takes no arm"),
        (("history", "install"), "history takes no arm"),
        (("unpin", "install"), "unpin takes no arm"),
        (("list", "--until", "2h"), "--until goes with pin"),
        (("pause", "install", "--until", "2h"), "--until goes with pin"),
        (("history", "--group", "sport"), "--group goes with put"),
    ],
)
def test_what_would_be_ignored_is_refused(
    croupier: CommandLine, words: tuple[str, ...], said: str
) -> None:
    found = croupier("arms", NAME, *words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err


def test_a_name_is_quoted_and_asks_no_other_door(croupier: CommandLine, tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", TOP_BUTTON) as house, listening(house) as port:
        where = ("--server", f"http://127.0.0.1:{port}/")
        for name in ("é", "x?a=1", "../audit", f"{NAME}/arms#"):
            for command in (("arms", name), ("estimates", name), ("candidates", "refresh", name)):
                found = croupier(*command, *where)
                assert (found.code, found.out) == (2, "")
                said = "Not Found" if "/" in name else f"no experiment '{name}'"
                assert said in found.err


SECRET = "swordfish"


def importing(folder: Path) -> tuple[str | Path, ...]:
    """The words of an import of one row."""
    file = folder / "past.csv"
    file.write_text("arm,n,reward_sum\ninstall,100,5\n")
    return "import", "rewards", file, "--experiment", NAME


@pytest.mark.parametrize(
    "server",
    [f"http://ana:{SECRET}@127.0.0.1:9", f"http://ana:{SECRET}@[::1", f"ftp://a:{SECRET}@h/"],
)
def test_a_password_in_the_server_is_refused_and_not_repeated(
    croupier: CommandLine, tmp_path: Path, server: str
) -> None:
    imported = importing(tmp_path)
    estimated = ("estimates", NAME)
    for command in (("arms", NAME), ("audit",), estimated, imported):
        found = croupier(*command, "--server", server)
        assert (found.code, found.out, len(found.err.splitlines())) == (2, "", 1)
        assert "--server: expected http://host:port" in found.err
        assert SECRET not in found.err


@pytest.mark.parametrize("key", ["clé", "a b", "a\nb"])
def test_a_key_that_cannot_be_one_is_refused_unread(
    croupier: CommandLine, tmp_path: Path, key: str
) -> None:
    imported = importing(tmp_path)
    for command in (("arms", NAME), imported):
        found = croupier(*command, "--api-key", key)
        assert (found.code, key in found.err) == (2, False)
        assert "api_key: it holds characters that no key has" in found.err


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:9", "nonsense", "http://h:port", "file:///etc/hosts"]
)
def test_a_server_that_is_not_there_is_said(croupier: CommandLine, server: str) -> None:
    found = croupier("arms", NAME, "--server", server)
    assert found.code == 2
    assert "Traceback" not in found.err
