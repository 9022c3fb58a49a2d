"""What a machine's supervisor says of itself, as `croupier doctor` reads it."""

import json
from collections.abc import Iterator
from pathlib import Path

from croupier.core.duration import DAY, MINUTE, format_duration

SUPERVISED = ".supervised"
"""The ending of the state file beside the data file."""


def read_supervisor(data: Path, now: int) -> Iterator[tuple[bool, str]]:
    """Whether all is in order, and what was seen; nothing where no supervisor ever ran."""
    file = data.with_name(data.name + SUPERVISED)
    if not file.exists():
        return
    try:
        page = json.loads(file.read_text(encoding="utf-8"))
        age = now - page["at"]
        if all(each["state"] == "ended" for each in page["commands"]):
            yield True, f"stopped {_ago(age)}"
            return
        gone = age > 3 * page["every"] + MINUTE
        if gone and not any(each["state"] == "gave up" for each in page["commands"]):
            yield False, f"pid {page['pid']} wrote last {_ago(age)}: is it still there?"
        for each in page["commands"]:
            recent = [one for one in each["restarts"] if one["at"] > now - DAY]
            told = f"{each['command']}: {each['state']}" + (
                f", {each['why']}" if each["why"] else ""
            )
            last = f", last {_ago(now - recent[-1]['at'])}: {recent[-1]['why']}" if recent else ""
            yield each["state"] in _GOOD, f"{told}; {len(recent)} restarts in a day{last}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        yield False, f"{file}: unreadable: {error}"


_GOOD = ("well", "starting", "ended")


def _ago(millis: int) -> str:
    return f"{format_duration(max(0, millis) // 1000 * 1000)} ago"
