"""croupier replay: add the whole log up again, to check or rebuild the sums."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import Data, Json

if TYPE_CHECKING:
    from croupier.config.backends import Backends
    from croupier.core.declarations import Declarations
    from croupier.ports import Commit
    from croupier.runners.replay import Difference, Replay


def replay(
    data: Data = "croupier.db",
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Declare this file first, for good with --write only."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="Read here, as `export --what entries` wrote it, what was trimmed."),
    ] = None,
    *,
    new_reward: Annotated[
        bool, typer.Option("--new-reward", help="Value past trials by the reward declared now.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Store what was rebuilt; the server must be stopped.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read the log from its start through the same folds, and compare with the stored sums.

    Without --write it changes nothing and may run beside the server; exit code 1 tells that the
    sums differ. After a change of `reward`, --new-reward --write fills the new reward version
    from the past; without --write it shows what would be added.

    Examples:
      croupier replay --data shop.db

      croupier replay --data shop.db --config shop.toml --new-reward

      croupier replay --data shop.db --config shop.toml --new-reward --write

      croupier replay --data shop.db --archive archive
    """
    from croupier.config.errors import ConfigError
    from croupier.runners.replay import Replay

    backends = _opened(data, archive, write=write)
    try:
        declarations = _declared(config, backends, write=write)
        again = Replay(backends, declarations, (lambda _: None) if as_json else _show)
        commit, differing, whole = _filled(again) if new_reward else _checked(again)
        if write and not whole and not new_reward:
            gone = "its log was trimmed, it no longer holds what was learned"
            raise ConfigError(f"{data}: {gone}{_missing(archive)}")
        if write:
            backends.states.commit(commit)
    finally:
        backends.close()
    if as_json:
        _print_json(again.entries, differing, whole=whole, write=write)
    else:
        trimmed = "" if whole else f", the first were trimmed{_missing(archive)}"
        print(f"\n{again.entries:,} entries read{trimmed}")
        _print_sums(differing)
        print((_of_filling if new_reward else _of_checking)(differing, write=write))
    if differing and not write:
        raise typer.Exit(1)


def _opened(data: str, archive: Path | None, *, write: bool) -> "Backends":
    from croupier.config.backends import data_file, open_backends
    from croupier.config.errors import ConfigError

    file = data_file(data)
    if not file.exists():
        raise ConfigError(f"{file}: no such data file")
    backends = open_backends(file, read_only=not write)
    try:
        return _archived(backends, archive, write=write) if archive else backends
    except BaseException:
        backends.close()
        raise


def _archived(backends: "Backends", archive: Path, *, write: bool) -> "Backends":
    """The same with its archive; to write, that must reach back to where the log began."""
    from croupier.config.archive import with_archive
    from croupier.config.errors import ConfigError
    from croupier.runners.declare import read_declarations
    from croupier.runners.replay import Replay

    found = with_archive(backends, archive)
    if write and not Replay(found, read_declarations(found.log)).whole():
        raise ConfigError(f"the log was trimmed{_missing(archive)}")
    return found


def _declared(config: Path | None, backends: "Backends", *, write: bool) -> "Declarations":
    from croupier.config.settings import Settings, load_settings
    from croupier.runners.declare import declare, declared_with

    settings = load_settings(config) if config else Settings(experiments=())
    if write:
        return declare(settings, backends.log, backends.clock).declarations
    return declared_with(settings, backends.log, backends.clock)


def _filled(again: "Replay") -> "tuple[Commit, list[Difference], bool]":
    from croupier.core.arms.sums import Sums
    from croupier.runners.replay import differences

    commit, stored = again.fill(), again.standing.sums
    after = {key: stored.get(key, Sums()) + change for key, change in commit.sums.items()}
    return commit, differences(stored, {**stored, **after}), again.whole()


def _checked(again: "Replay") -> "tuple[Commit, list[Difference], bool]":
    from croupier.runners.replay import differences

    rebuilt = again.rebuild()
    found = differences(again.standing.sums, rebuilt.sums)
    return again.correction(rebuilt), found, rebuilt.whole


def _missing(archive: Path | None) -> str:
    """Where what was trimmed may be, after a statement that it was."""
    if archive is None:
        return ": --archive DIR reads them from where `croupier export --what entries` wrote them"
    return f", and {archive} does not hold them"


def _show(entries: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{entries:,} entries read", end="", file=sys.stderr, flush=True)


def _print_json(entries: int, differing: "list[Difference]", *, whole: bool, write: bool) -> None:
    rows = [
        each.key._asdict() | {"stored": each.stored._asdict(), "rebuilt": each.rebuilt._asdict()}
        for each in differing
    ]
    found = {"entries": entries, "whole": whole, "written": write}
    print(json.dumps(found | {"differences": rows}))


def _of_filling(differing: "list[Difference]", *, write: bool) -> str:
    if not differing:
        return "nothing to fill: no newer reward, or its past has been added"
    return f"{len(differing)} sums " + (
        "were added" if write else "would be added: --write does it"
    )


def _of_checking(differing: "list[Difference]", *, write: bool) -> str:
    if not differing:
        return "the stored sums are what the log says"
    verdict = f"{len(differing)} sums differed" + (" and were written" if write else "")
    if not write and all(map(_is_new, differing)):
        verdict += ", all of kinds that an older Croupier did not keep: --write adds them"
    return verdict


def _is_new(each: "Difference") -> bool:
    """Sums beside those that train, which the program that stored these did not keep."""
    from croupier.core.arms.groups import GROUP
    from croupier.core.learn import IMPORTED

    return each.key.stratum.startswith((GROUP, IMPORTED))


def _print_sums(differing: "list[Difference]") -> None:
    """A line a difference; those of groups of units, of which there are very many, are counted."""
    from croupier.core.arms.groups import split_stratum

    whole = [each for each in differing if split_stratum(each.key.stratum)[0] is None]
    for each in whole:
        key = each.key
        print(
            f"{key.experiment} arm {key.arm} slot {key.slot} reward version {key.reward_version} "
            f"{key.stratum}: stored n={each.stored.n} Σr={each.stored.r}, "
            f"log n={each.rebuilt.n} Σr={each.rebuilt.r} (millionths)"
        )
    if len(whole) < len(differing):
        print(f"and {len(differing) - len(whole):,} sums by group of units, which --json lists")
