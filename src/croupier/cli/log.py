"""croupier log: look into the log, and explain a decision."""

import json
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.explain import print_explanation
from croupier.cli.lines import line_of
from croupier.cli.options import Data
from croupier.cli.where import LogUrl, StatesUrl, is_distributed, open_to_look

if TYPE_CHECKING:
    from croupier.ports import EventLog
    from croupier.runners.looking.look import Seen, Wanted

_FOLLOW_SECONDS = 0.3
_TOPICS = ("events", "funnels", "observations", "arms")
_LACKING = {"arms": ("--unit", "--tracking-id"), "observations": ("--tracking-id",)}
_ID_BYTES = 15


def log(  # noqa: PLR0913 - the command's own options
    data: Data = "croupier.db",
    topic: Annotated[
        str, typer.Option(help="events, funnels, observations, or arms (what was declared).")
    ] = "events",
    experiment: Annotated[str | None, typer.Option(help="Only of this experiment.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Only of this unit, hashed with the key as decide does.")
    ] = None,
    tracking_id: Annotated[str | None, typer.Option(help="Only of this decision.")] = None,
    since: Annotated[
        str | None, typer.Option(help='Not older than this, such as "2h" or 2026-01-31T08:00.')
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest.")] = 50,
    explain: Annotated[
        str | None,
        typer.Option(help="A tracking id or a token: decide it again, and show how it was drawn."),
    ] = None,
    log: LogUrl = "",
    states: StatesUrl = "",
    keys_file: Annotated[
        Path, typer.Option("--keys", help="With --log: the keys that the servers share.")
    ] = Path("croupier.keys"),
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on, with records as they come.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print records of the log, the newest last; it reads only, and never disturbs the server.

    Examples:
      croupier log --since 10m

      croupier log --topic observations --experiment top-button --limit 5

      croupier log --unit u-17 --follow

      croupier log --explain 01a2b3c4d5e6f708090a0b0c0d0e0f

      croupier log --log kafka://10.0.0.5:9092/shop?partitions=8 --topic observations
    """
    from croupier.runners.looking import look

    narrowed = {"--unit": unit, "--tracking-id": tracking_id, "--experiment": experiment}
    said = [option for option, text in narrowed.items() if text is not None]
    _refuse_idle(topic, said, explain=explain is not None, more=since is not None or follow)
    backends = open_to_look(data, log, states, whole=explain is not None)
    place = keys_file if is_distributed(data, log) else data
    if explain is not None:
        print_explanation(backends, place, explain, as_json=as_json)
        return
    _must_be_declared(backends.log, experiment)
    wanted = _wanted(place, experiment, unit, tracking_id)
    ends, say = backends.log.ends(topic), _Printer(backends.log, as_json=as_json)
    begin = _millis(since, backends.clock.now()) if since else 0
    for seen in look.newest(backends.log, look.Stretch(topic, begin, ends), wanted, limit):
        say(seen)
    if follow:
        _follow(look.follow(backends.log, topic, wanted, ends, _wait), say)


def _refuse_idle(topic: str, said: list[str], *, explain: bool, more: bool) -> None:
    """What would be ignored, or can hold of no record, was meant for something."""
    if topic not in _TOPICS:
        raise typer.BadParameter(f"{topic!r} is none of {', '.join(_TOPICS)}")
    if explain and (said or more):
        raise typer.BadParameter("--explain is of one decision: it goes with no other choice")
    lacking = [option for option in said if option in _LACKING.get(topic, ())]
    if lacking:
        raise typer.BadParameter(f"{lacking[0]}: records of the topic {topic} have none")


def _must_be_declared(log: "EventLog", experiment: str | None) -> None:
    from croupier.runners.declare import must_be_declared, read_declarations

    if experiment is not None:
        must_be_declared(read_declarations(log), experiment)


class _Printer:
    """Prints records, with what was declared by then: names, and what a declaration changed."""

    def __init__(self, log: "EventLog", *, as_json: bool) -> None:
        from croupier.runners.history import History
        from croupier.runners.looking.changed import Changed

        self.history, self._changed, self._as_json = History(log), Changed(log), as_json

    def __call__(self, seen: "Seen") -> None:
        from croupier.core.records import Declaration
        from croupier.runners.looking.readable import fields_of, iso

        fields = fields_of(seen.record, self.history.declarations)
        if self._as_json:
            text = json.dumps({"appended": iso(seen.stamp)} | fields, ensure_ascii=False)
        else:
            text = f"{iso(seen.stamp)}  {line_of(fields)}"
            if isinstance(seen.record, Declaration) and (told := self._changed.of(seen.record)):
                text += f", changed {', '.join(told)}"
        print(text, flush=True)


def _follow(records: Iterable["Seen"], say: _Printer) -> None:
    try:
        for seen in records:
            say.history.follow()
            say(seen)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _wait() -> None:
    time.sleep(_FOLLOW_SECONDS)


def _wanted(
    keys: str | Path, experiment: str | None, unit: str | None, tracking_id: str | None
) -> "Wanted":
    from croupier.config.keys import read_keys
    from croupier.core.decide import hash_unit
    from croupier.runners.looking.look import Wanted

    try:
        wanted = None if tracking_id is None else bytes.fromhex(tracking_id)
    except ValueError:
        wanted = b""
    if wanted is not None and len(wanted) != _ID_BYTES:
        raise typer.BadParameter("--tracking-id: expected 30 hexadecimal digits")
    hashed = None if unit is None else hash_unit(read_keys(keys, os.environ).unit, unit)
    return Wanted(experiment, hashed, wanted)


def _millis(text: str, now: int) -> int:
    from croupier.core.duration import parse_duration

    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f'--since: expected such as "2h" or 2026-01-31T08:00 (UTC), got {text!r}'
        ) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)
