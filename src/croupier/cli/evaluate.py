"""croupier evaluate: what another policy would have earned on a log."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from croupier.cli.options import Json, Seed
from croupier.cli.pictures import in_a_folder, put_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from croupier.cli.asked import Asked
    from croupier.cli.questions import Question
    from croupier.cli.slates import RankingQuestion
    from croupier.core.evaluate.answer import Answer

    Progress = Callable[[int], None]

T = TypeVar("T")
Log = Annotated[
    str,
    typer.Argument(
        help="A data file, kafka://…, .csv[.gz], .parquet, VW .json; or a folder of these."
    ),
]
Policy = Annotated[
    str,
    typer.Option(help="uniform, logged, always:ARM, weights in a file, column, ranking:…, a kind."),
]
Experiment = Annotated[str | None, typer.Option(help="Which experiment of a data file.")]
Part = Annotated[str | None, typer.Option(help="Which log of a folder, such as random_all.")]
Columns = Annotated[
    str | None, typer.Option(help="Where columns have other names: action=arm_id,reward=sold.")
]
Rewards = Annotated[
    str | None, typer.Option(help="The least and the largest possible reward; 0,1 if not said.")
]
Least = Annotated[
    float | None,
    typer.Option(help="No arm was ever drawn with a smaller propensity: narrower intervals."),
]
Confidence = Annotated[float, typer.Option(help="How sure intervals are to hold, at all times.")]
Learn = Annotated[
    float, typer.Option(min=0.01, max=0.99, help="A kind learns from this first share of the log.")
]
Replay = Annotated[
    bool, typer.Option("--replay", help="Let a kind learn as it goes, on uniform draws.")
]
Check = Annotated[
    bool, typer.Option("--check", help="Only check that arms were shown as often as it says.")
]


Picture = Annotated[
    Path | None,
    typer.Option(help="Write estimates and intervals as an SVG.", callback=in_a_folder),
]


def evaluate(  # noqa: PLR0913 - one parameter an option
    log: Log,
    policy: Policy = "uniform",
    experiment: Experiment = None,
    part: Part = None,
    columns: Columns = None,
    rewards: Rewards = None,
    least_propensity: Least = None,
    confidence: Confidence = 0.95,
    learn: Learn = 0.5,
    seed: Seed = 1,
    picture: Picture = None,
    *,
    replay: Replay = False,
    check: Check = False,
    as_json: Json = False,
) -> None:
    """Tell from a log what another policy would have earned: estimates with intervals.

    Where the log cannot tell, it says why and gives no estimate (exit code 1). A log has a row a
    round: action, reward, propensity, perhaps position and target (the policy's probability of
    that action, for `column`); rows that cannot be used are named and counted. Of slates: a row a
    slot, the rows of one slate alike in `ranking`; perhaps choice, given those above. Policies:

    * `uniform`, `logged` (a check: it must give the logged mean), `always:ARM`, `column`;
    * a file of weights: `{"a": 0.7, "b": 0.3}` or `{"1": {"a": …}}` by position, JSON or TOML; or
      a CSV of arm and `weight`, or `position_1`, … ; `bts` in an Open Bandit folder is such a file;
    * a kind with settings, such as `thompson:floor=0.01`: learned from the first half of the log
      and evaluated on the rest, or with `--replay` learning as it goes; to compare with, also
      `softmax:temperature=0.1`, which cannot be declared;
    * of slates `ranking:A,B,C`, `ranking:uniform` or `ranking:logged`.

    With `--check` it says whether arms were shown as often as their propensities say (exit code 1
    if not); each arm of a position must have been offered in all its rounds, or the log tell.

    For example:

      croupier evaluate log.csv --check

      croupier evaluate croupier.db --experiment top-button --policy always:install

      croupier evaluate log.csv --policy weights.json --least-propensity 0.01 --picture log.svg

      croupier evaluate open_bandit --part random_all --policy ucb1 --replay
    """
    from croupier.cli.asked import Asked, warnings_of

    said = Asked(
        Path(log), policy, experiment, part, columns, rewards, least_propensity, confidence, log
    )
    if check:
        return _check(said, learn, seed, as_json=as_json)
    asked = _question(said, None if replay else learn, seed)
    found = _read(asked, asked.answer, quiet=as_json)
    found.warnings = warnings_of(asked.log)
    return _tell(found, picture, as_json=as_json)


def _tell(found: "Answer", picture: Path | None, *, as_json: bool) -> None:
    import msgspec

    from croupier.cli.estimates import report
    from croupier.runners.forest import forest

    print(msgspec.json.encode(found).decode()) if as_json else report(found)
    if picture is not None:
        put_picture(picture, forest(found))
    _end(wrong=bool(found.refused))


def _end(*, wrong: bool) -> None:
    if wrong:
        raise typer.Exit(1)


def _check(said: "Asked", learn: float, seed: int, *, as_json: bool) -> None:
    import msgspec

    from croupier.cli.estimates import report_check
    from croupier.cli.questions import question

    asked = question(said, learn, seed)
    found = _read(asked, asked.check, quiet=as_json)
    print(msgspec.json.encode(found).decode()) if as_json else report_check(found)
    _end(wrong=found.alarm or not found.rounds)


def _question(said: "Asked", learn: float | None, seed: int) -> "Question | RankingQuestion":
    from croupier.cli.questions import question
    from croupier.cli.slates import PREFIX, ranking_question

    ranked = said.policy.startswith(PREFIX)
    return ranking_question(said) if ranked else question(said, learn, seed)


def _read(
    asked: "Question | RankingQuestion", work: "Callable[[Progress], T]", *, quiet: bool
) -> "T":
    """Read the log as often as it takes, and count the rounds where somebody may look."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn

    from croupier.config.errors import ConfigError
    from croupier.config.trial_logs import UnreadableFileError

    hidden = quiet or not sys.stderr.isatty()
    shown = (SpinnerColumn(), TextColumn("{task.completed:,} rounds read"))
    with Bar(*shown, console=Console(stderr=True), disable=hidden, transient=True) as bar:
        task = bar.add_task("", total=None)
        try:
            return work(lambda rounds: bar.advance(task, rounds))
        except UnreadableFileError as error:
            raise ConfigError(str(error)) from None
        finally:
            asked.close()
