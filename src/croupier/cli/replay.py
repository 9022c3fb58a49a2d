"""croupier replay: add the whole log up again, to check or rebuild the sums."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import Data, Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from croupier.core.declarations import Declarations
    from croupier.ports import Commit, Standing
    from croupier.runners.replay import Difference, Rebuilt


def replay(
    data: Data = Path("croupier.db"),
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="With --write: declare this file first.")
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
    from the past.

    Examples:
      croupier replay --data shop.db

      croupier replay --data shop.db --config shop.toml --new-reward --write
    """
    from croupier.config.backends import open_backends
    from croupier.config.settings import Settings, load_settings
    from croupier.runners.embedded import declare
    from croupier.runners.replay import differences, rebuild

    if config and not write:
        raise typer.BadParameter("--config goes with --write")
    backends = open_backends(data, read_only=not write)
    try:
        settings = load_settings(config) if config else Settings(experiments=())
        declarations = declare(settings, backends)
        standing = backends.states.load()
        read_as = declarations.reinterpreted() if new_reward else declarations
        rebuilt = rebuild(backends, read_as, standing, _show if not as_json else lambda _: None)
        differing = differences(standing.sums, rebuilt.sums)
        if new_reward:
            now = {name: declarations.latest(name).reward_version for name in declarations.names()}
            differing = [
                each for each in differing if each.key.reward_version == now[each.key.experiment]
            ]
        if write:
            _store(backends.states.commit, standing, rebuilt, declarations, new_reward=new_reward)
    finally:
        backends.close()
    _report(rebuilt, differing, write=write, as_json=as_json)
    if differing and not write:
        raise typer.Exit(1)


def _show(entries: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{entries:,} entries read", end="", file=sys.stderr, flush=True)


def _report(
    rebuilt: "Rebuilt", differing: "list[Difference]", *, write: bool, as_json: bool
) -> None:
    rows = [
        each.key._asdict() | {"stored": each.stored._asdict(), "rebuilt": each.rebuilt._asdict()}
        for each in differing
    ]
    if as_json:
        found = {"entries": rebuilt.entries, "whole": rebuilt.whole, "written": write}
        print(json.dumps(found | {"differences": rows}))
        return
    print(
        f"\n{rebuilt.entries:,} entries read"
        + ("" if rebuilt.whole else ", the first were trimmed")
    )
    for each in differing:
        key = each.key
        print(
            f"{key.experiment} arm {key.arm} slot {key.slot} reward version {key.reward_version} "
            f"{key.stratum}: stored n={each.stored.n} Σr={each.stored.r}, "
            f"log n={each.rebuilt.n} Σr={each.rebuilt.r} (millionths)"
        )
    verdict = "the stored sums are what the log says"
    if differing:
        verdict = f"{len(differing)} sums differed" + (" and were written" if write else "")
    print(verdict)


def _store(
    commit: "Callable[[Commit], None]",
    standing: "Standing",
    rebuilt: "Rebuilt",
    declarations: "Declarations",
    *,
    new_reward: bool,
) -> None:
    from croupier.runners.replay import correction

    if not rebuilt.whole and not new_reward:
        raise typer.BadParameter("the log has been trimmed: it no longer holds what was learned")
    if not new_reward:
        commit(correction(standing, rebuilt))
        return
    for version in {declarations.latest(name).reward_version for name in declarations.names()}:
        commit(correction(standing, rebuilt, sums_of=version))
