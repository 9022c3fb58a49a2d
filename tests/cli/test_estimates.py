"""croupier estimates, of a data file and of a server that really listens."""

from pathlib import Path

from tests.apps.house import NAME, SINGLE, a_house, listening
from tests.cli.command import CommandLine


def test_a_data_file_and_its_server_say_the_same(croupier: CommandLine, shop: Path) -> None:
    offline = croupier("estimates", NAME, "--data", shop / "croupier.db", "--json").json()
    assert offline["trials"] == 10
    assert sum(arm["n"] for arm in offline["arms"]) == 10
    assert offline["verdict"]["text"].startswith("no verdict yet: too few successes of install")
    with a_house(shop / "croupier.db", SINGLE) as house, listening(house) as port:
        server = f"http://127.0.0.1:{port}"
        online = croupier("estimates", NAME, "--server", server, "--json").json()
        table = croupier("estimates", NAME, "--server", server, "--worth", 0.1).out
    assert online == offline
    assert "the wrong way" in table
    assert "no verdict yet" in table
    assert "shares against propensities: p = " in table


def test_groups_of_units_are_spoken_of_where_they_are_kept(
    croupier: CommandLine, tmp_path: Path
) -> None:
    data, said = tmp_path / "croupier.db", "over groups of units: "
    for toml, spoken in ((SINGLE, False), (SINGLE.replace("holdout = 0.0", "holdout = 0.5"), True)):
        with a_house(data, toml) as house:
            for number in range(8):
                house.trial(f"u-{number}", "click")
            house.settle()
        found = croupier("estimates", NAME, "--data", data)
        assert (said in found.out) == spoken


def test_what_cannot_be_asked_is_said(croupier: CommandLine, shop: Path) -> None:
    unknown = croupier("estimates", "nope", "--data", shop / "croupier.db")
    assert (unknown.code, "expected top-button" in unknown.err) == (2, True)
    negative = croupier("estimates", NAME, "--data", shop / "croupier.db", "--worth", -1)
    assert negative.code == 2
    both = ("--data", shop / "croupier.db", "--server", "http://127.0.0.1:9")
    found = croupier("estimates", NAME, *both)
    assert (found.code, "--data and --server" in found.err) == (2, True)
    away = croupier("estimates", NAME, "--server", "http://127.0.0.1:9")
    assert (away.code, "Traceback" in away.err) == (2, False)
