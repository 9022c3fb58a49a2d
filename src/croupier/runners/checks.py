"""The checks behind `croupier doctor`: read-only, beside a running server."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from croupier.apps.candidates.rows import read_rows
from croupier.clock import Clock
from croupier.config.backends import Backends, DataFileError, open_backends, verify
from croupier.config.candidates import open_table
from croupier.config.errors import ConfigError
from croupier.config.keys import TOKEN_KEYS, load_keys
from croupier.config.settings import Settings, load_settings, with_environment
from croupier.core.codec import UnreadableRecordError
from croupier.core.duration import MINUTE, SECOND, format_duration
from croupier.core.records import ArmSet, Declaration
from croupier.core.snapshot import Snapshot
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, Standing, UnavailableError
from croupier.runners.declare import read_declarations
from croupier.runners.reach import exposures
from croupier.runners.supervise.state import read_supervisor

_LEAST_FREE = 256 * 1024 * 1024


class Finding(NamedTuple):
    """One checked thing: whether it is in order, and what was seen."""

    what: str
    ok: bool
    detail: str


def check_all(config: Path, data: Path, host: str = "127.0.0.1") -> list[Finding]:
    """Every check that makes sense for what is there."""
    findings: list[Finding] = []
    settings = None
    try:
        settings = with_environment(load_settings(config), os.environ)
        names = ", ".join(spec.name for spec in settings.experiments)
        findings.append(Finding("configuration", ok=True, detail=f"{config}: {names}"))
        doors = exposures(settings, host, Clock().now())
        findings += (Finding("doors", ok=good, detail=said) for good, said in doors)
    except ConfigError as error:
        findings += (Finding("configuration", ok=False, detail=each) for each in error.problems)
    findings.append(_disk(data))
    findings += _candidates(settings, config.absolute().parent)
    now = Clock().now()
    findings += (Finding("supervisor", *found) for found in read_supervisor(data, now))
    if not data.exists():
        return [*findings, Finding("data file", ok=True, detail=f"{data}: made by the first `up`")]
    findings.append(_keys(data))
    try:
        backends = open_backends(data, read_only=True)
        findings.append(_integrity(data))
        findings += _learning(backends, settings)
    except (DataFileError, UnavailableError, UnreadableRecordError) as error:
        findings.append(Finding("data file", ok=False, detail=str(error)))
    return findings


def _candidates(settings: Settings | None, folder: Path) -> Iterator[Finding]:
    for spec in settings.experiments if settings else ():
        if spec.candidates is None:
            continue
        try:
            listed = read_rows(open_table(spec.candidates.source, folder).rows(), spec)
        except UnavailableError as error:
            yield Finding("candidates", ok=False, detail=f"{spec.name}: {error}")
            continue
        detail = f"{spec.name}: {listed.size} rows in {spec.candidates.source}"
        if listed.bad:
            bad = listed.bad[0]
            detail += f", {len(listed.bad)} bad; row {bad.row}: {bad.column}: {bad.reason}"
        yield Finding("candidates", ok=not listed.bad, detail=detail)


def _disk(data: Path) -> Finding:
    try:
        free = shutil.disk_usage(data.absolute().parent).free
    except OSError as error:
        return Finding("disk", ok=False, detail=f"{data.parent}: {error.strerror}")
    return Finding("disk", ok=free > _LEAST_FREE, detail=f"{free / 2**30:.1f} GiB free")


def _keys(data: Path) -> Finding:
    file = data.with_name(data.name + ".keys")
    if TOKEN_KEYS not in os.environ and not file.exists():
        return Finding("keys", ok=False, detail=f"{file} is missing: restore it from a backup")
    try:
        keys = load_keys(data, os.environ)
    except ConfigError as error:
        return Finding("keys", ok=False, detail="; ".join(error.problems))
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("keys", ok=False, detail=f"{file} can be read by others: chmod 600 it")
    return Finding("keys", ok=True, detail=f"{len(keys.token)} token keys, {max(keys.token)} signs")


def _integrity(data: Path) -> Finding:
    try:
        verify(data, quick=True)
    except DataFileError as error:
        return Finding("data file", ok=False, detail=str(error))
    size = data.stat().st_size / 2**20
    return Finding("data file", ok=True, detail=f"{data}: {size:.1f} MiB, ok")


def _learning(backends: Backends, settings: Settings | None) -> Iterator[Finding]:
    standing = backends.states.load()
    behind = standing.behind(backends.log.ends(EVENTS))
    yield Finding("lag", ok=behind < 10_000, detail=f"{behind} entries not read yet")
    newest = _newest_stamp(backends)
    ahead = newest - backends.clock.now()
    text = f"newest record {format_duration(max(0, -ahead) // SECOND * SECOND)} ago"
    if newest == 0:
        text = "no record yet"
    if ahead > 0:
        text = f"newest record is {format_duration(ahead)} in the future: was the clock set back?"
    yield Finding("clock", ok=ahead < MINUTE, detail=text)
    declarations = read_declarations(backends.log)
    latest = {name: backends.cache.latest(name) for name in declarations.names()}
    yield from about_experiments(standing, latest)
    for spec in settings.experiments if settings else ():
        if spec.name in declarations.names():
            last = declarations.latest(spec.name)
            said = [_in_words(each, last) for each in declarations.changes(spec, 0)]
            if said:
                detail = f"the next start declares: {'; '.join(said)}"
                yield Finding(spec.name, ok=True, detail=detail)


def _in_words(change: Declaration | ArmSet, last: Declaration) -> str:
    """What a start would declare anew, and what that begins."""
    if isinstance(change, ArmSet):
        return "arms " + ", ".join(arm.name for arm in change.arms if arm.status == "active")
    keys = ", ".join(change.spec.changed(last.spec))
    if change.reward_version == last.reward_version:
        return keys
    return f"{keys} (reward version {change.reward_version}: its sums begin empty)"


def about_experiments(
    standing: Standing, latest: Mapping[str, Snapshot | None]
) -> Iterator[Finding]:
    """What was counted of each, and who gets which share now."""
    for name, snapshot in latest.items():
        counts = {what: count for (which, what), count in standing.counts.items() if which == name}
        shares = (
            ", ".join(
                f"{arm} {share:.1%}"
                for arm, share in sorted(
                    zip(snapshot.names, snapshot.weights, strict=True), key=lambda each: -each[1]
                )[:5]
            )
            if snapshot
            else "no snapshot"
        )
        yield Finding(
            name,
            ok=snapshot is not None,
            detail=f"{counts.get('observations', 0)} observations, {standing.open.get(name, 0)} "
            f"open, {counts.get('late', 0)} late; v{snapshot.version if snapshot else 0}: {shares}"
            + _unfilled(snapshot),
        )


def _unfilled(snapshot: Snapshot | None) -> str:
    """How many slots stay empty because too many arms are of groups that are limited."""
    filled = round(sum(snapshot.weights)) if snapshot else 0
    if snapshot is None or filled == snapshot.slots:
        return ""
    return f"; limits of groups leave {filled} of {snapshot.slots} slots filled"


def _newest_stamp(backends: Backends) -> int:
    stamps = [0]
    for topic in (EVENTS, FUNNELS, OBSERVATIONS):
        last = {p: end - 1 for p, end in backends.log.ends(topic).items()}
        stamps += (entry.stamp for entry in backends.log.read(topic, last, 1))
    return max(stamps)
