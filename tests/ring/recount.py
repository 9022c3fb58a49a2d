"""What must have been learned, recomputed from the log by the words of DESIGN.md alone.

Nothing of croupier is imported: the data file is read with sqlite3 and raw MessagePack, stories
are told again from the append stamps, and every number that the platform keeps is counted anew.
"""

import sqlite3
import tomllib
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from scipy import integrate, stats

MICRO = 1_000_000
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}

Raw = dict[str, Any]
LateKey = tuple[str, bytes, str, int, str]
"""Experiment, tracking id, kind, slot, outcome id."""
SumKey = tuple[str, int, int, int, str, int]
"""Experiment, arm, slot, reward version, stratum, period."""
Eight = tuple[int, ...]


class Trial(NamedTuple):
    """An observation, by what it says."""

    experiment: str
    arm: int
    slot: int
    unit: bytes
    declaration: int
    reason: str
    propensity: float
    reward: int
    at: int
    repeats: int
    measured: tuple[tuple[str, int], ...] = ()


class Rules(NamedTuple):
    """One [[experiment]] as far as counting needs it; milliseconds."""

    expose_within: int
    window: int
    lateness: int
    session: int | None
    period: int
    reward: Mapping[str, Raw]
    arms: Sequence[str]
    default: Sequence[str]
    slots: int = 1
    ranking: str = "pooled"
    grouped: bool = False
    signals: Sequence[str] = ()

    @property
    def horizon(self) -> int:
        return self.expose_within + self.window + self.lateness


def millis(text: str) -> int:
    """ "300ms", "1s", "2m" in milliseconds."""
    number = text.rstrip("smh")
    return round(float(number) * _UNITS[text[len(number) :]])


def read_rules(toml: str) -> dict[str, Rules]:
    """The experiments of a croupier.toml; all their times must be written out."""
    return {
        table["name"]: Rules(
            millis(table["expose_within"]),
            millis(table["window"]),
            millis(table["lateness"]),
            None if table["session"] == "none" else millis(table["session"]),
            millis(table.get("period", "1h")),
            {k: v if isinstance(v, dict) else {"weight": v} for k, v in table["reward"].items()},
            table["arms"],
            [table["default"]] if isinstance(table["default"], str) else table["default"],
            table.get("slots", 1),
            table.get("ranking", "pooled"),
            table.get("sticky") == "unit" or table.get("holdout", 0) > 0,
            tuple(table.get("surrogate", ())),
        )
        for table in tomllib.loads(toml)["experiment"]
    }


# --- what is on disk ------------------------------------------------------------------------------


class DataFile(NamedTuple):
    """Everything in a data file, raw."""

    events: list[tuple[int, Raw]]
    funnels: list[Raw]
    observations: list[Raw]
    arm_sets: dict[str, dict[str, int]]
    arm_history: dict[str, list[Raw]]
    sums: dict[SumKey, Eight]
    counts: dict[tuple[str, str], int]
    open: dict[str, int]
    late: Counter[LateKey]
    snapshots: dict[str, list[Raw]]
    position: int
    end: int


def read_data(path: Path) -> DataFile:
    """Read a data file, running or not."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        connection.execute("BEGIN")

        def topic(name: str) -> list[tuple[int, Raw]]:
            rows = connection.execute(f"SELECT stamp, payload FROM log_{name} ORDER BY offset")
            return [(stamp, one) for stamp, raw in rows for one in msgspec.msgpack.decode(raw)]

        snapshots: dict[str, list[Raw]] = defaultdict(list)
        for name, payload in connection.execute(
            "SELECT experiment, payload FROM snapshots ORDER BY experiment, version"
        ):
            snapshots[name].append(msgspec.msgpack.decode(payload))
        history: dict[str, list[Raw]] = defaultdict(list)
        for _, one in topic("arms"):
            if one["type"] == "arm_set":
                history[one["experiment"]].append(one)
        sums = connection.execute("SELECT * FROM sums").fetchall()
        late = [
            msgspec.msgpack.decode(payload)
            for (payload,) in connection.execute("SELECT payload FROM late")
        ]
        position = connection.execute("SELECT max(position) FROM positions").fetchone()[0]
        newest = connection.execute("SELECT max(offset) FROM log_events").fetchone()[0]
        return DataFile(
            events=topic("events"),
            funnels=[one for _, one in topic("funnels")],
            observations=[one for _, one in topic("observations")],
            arm_sets={
                name: {arm["name"]: arm["number"] for arm in many[-1]["arms"]}
                for name, many in history.items()
            },
            arm_history=history,
            sums={row[:6]: tuple(map(int, row[6].split())) for row in sums},
            counts={
                (name, what): value
                for name, what, value in connection.execute("SELECT * FROM counts")
                if value
            },
            open=dict(connection.execute("SELECT experiment, value FROM open WHERE value")),
            late=Counter(map(late_key, late)),
            snapshots=snapshots,
            position=position or 0,
            end=newest + 1 if newest is not None else 0,
        )


def trial(observation: Raw) -> Trial:
    """An observation of the log, by what it says."""
    one: Raw = {"reason": "policy", "repeats": 0} | observation
    one["measured"] = tuple(sorted(one.get("measured", {}).items()))
    return Trial(*(one[field] for field in Trial._fields))


def decided_at(tracking_id: bytes) -> int:
    """A tracking id is time-ordered: its first six bytes are the decision time."""
    return int.from_bytes(tracking_id[:6], "big")


def late_key(event: Raw) -> LateKey:
    decision = event["decision"]
    return (
        decision["experiment"],
        decision["tracking_id"],
        event["kind"],
        event.get("slot", 0),
        event.get("id", ""),
    )


# --- what must have been learned ------------------------------------------------------------------


class _Story:
    def __init__(self, decision: Raw) -> None:
        self.decision = decision
        self.impressions: dict[int, list[int]] = defaultdict(list)
        self.outcomes: dict[tuple[int, str], dict[str, tuple[int, int]]] = defaultdict(dict)
        self.shown: list[int] = []

    def take(self, event: Raw) -> None:
        slot = event.get("slot", 0)
        if event["kind"] == "impression":
            whole = range(len(self.decision["slate"]))
            for each in whole if slot == -1 else [slot]:
                self.impressions[each].append(event["at"])
            return
        reports = self.outcomes[slot, event["kind"]]
        report = event["at"], event.get("value", 0)
        reports[event.get("id", "")] = min(report, reports.get(event.get("id", ""), report))

    def close(self, rules: Rules) -> bool:
        """Whether any slot was impressed: its first impression, within expose_within."""
        limit = decided_at(self.decision["tracking_id"]) + rules.expose_within
        for slot in range(len(self.decision["slate"])):
            first = min(self.impressions[slot], default=0)
            self.shown.append(first if first <= limit else 0)
        return any(self.shown)

    @property
    def first(self) -> int:
        """When anything of it was first seen."""
        return min(at for at in self.shown if at)

    def counted(self, arm: int, kind: str, rules: Rules) -> list[int]:
        """The values of an arm's outcomes of a kind, within the window of its impression."""
        if arm not in self.decision["slate"]:
            return []
        slot = self.decision["slate"].index(arm)
        reports = self.outcomes.get((slot, kind), {}).values()
        until = self.shown[slot] + rules.window if self.shown[slot] else 0
        return [value for at, value in reports if at <= until]


class Recount(NamedTuple):
    """What the log amounts to."""

    trials: Counter[Trial]
    impressed: set[bytes]
    sums: dict[SumKey, Eight]
    counts: dict[tuple[str, str], int]
    late: Counter[LateKey]


def recount(events: list[tuple[int, Raw]], rules: Mapping[str, Rules]) -> Recount:
    """Tell every story again, from stamped events."""
    stories: dict[bytes, _Story] = {}
    late: set[LateKey] = set()
    for stamp, event in events:
        if event["type"] != "event":
            continue
        decision = event["decision"]
        deadline = decided_at(decision["tracking_id"]) + rules[decision["experiment"]].horizon
        if stamp > deadline:
            late.add(late_key(event))
            continue
        stories.setdefault(decision["tracking_id"], _Story(decision)).take(event)
    impressed = [
        story for story in stories.values() if story.close(rules[story.decision["experiment"]])
    ]
    trials = Counter(_trials(impressed, rules))
    counts: Counter[tuple[str, str]] = Counter()
    for each in trials.elements():
        counts[each.experiment, "observations" if each.reason == "policy" else each.reason] += 1
        counts[each.experiment, "repeat"] += each.repeats
    for key in late:
        counts[key[0], "late"] += 1
    return Recount(
        trials,
        {story.decision["tracking_id"] for story in impressed},
        _sums(trials, rules),
        {key: count for key, count in counts.items() if count},
        Counter(late),
    )


def _trials(impressed: list[_Story], rules: Mapping[str, Rules]) -> Iterator[Trial]:
    sessions: dict[tuple[Any, ...], list[_Story]] = defaultdict(list)
    for story in impressed:
        one = story.decision
        alone = one["tracking_id"] if rules[one["experiment"]].session is None else b""
        key = one["experiment"], one["declaration"], one["unit"], one["session"], alone
        sessions[key].append(story)
    for (name, declaration, unit, _, _), session in sessions.items():
        first = min(session, key=lambda story: (story.first, story.decision["tracking_id"]))
        one, repeats = first.decision, len(session) - 1
        pooled = rules[name].ranking == "pooled" and one.get("inclusions")
        for slot, arm in enumerate(one["slate"]):
            if not first.shown[slot]:
                continue
            yield Trial(
                experiment=name,
                arm=arm,
                slot=0 if pooled else slot,
                unit=unit,
                declaration=declaration,
                reason=one.get("reason", "policy"),
                propensity=one["inclusions" if pooled else "propensities"][slot],
                reward=_reward(session, arm, rules[name]),
                at=first.shown[slot],
                repeats=repeats,
                measured=tuple(
                    (f"{kind}:signal", _reward(session, arm, rules[name]._replace(reward=alone)))
                    for kind, alone in _unweighed(rules[name])
                ),
            )
            repeats = 0


def _unweighed(rules: Rules) -> Iterator[tuple[str, dict[str, Raw]]]:
    """A reward of each signal alone, before its fitted weight."""
    for kind in sorted(rules.signals):
        yield kind, {kind: rules.reward[kind] | {"weight": 1.0}}


def _reward(stories: list[_Story], arm: int, rules: Rules) -> int:
    """Σ weight·min(count, cap), or weight·min(Σ value, max), in millionths."""
    total = 0
    for kind, term in rules.reward.items():
        values = [value for story in stories for value in story.counted(arm, kind, rules)]
        weight = round(term["weight"] * MICRO)
        if term.get("of") == "value":
            capped = min(sum(values), round(term["max"] * MICRO))
            total += (2 * weight * capped + MICRO) // (2 * MICRO)
        else:
            total += weight * min(len(values), term.get("cap", 1))
    return total


def _sums(trials: Counter[Trial], rules: Mapping[str, Rules]) -> dict[SumKey, Eight]:
    """N, Σr, Σr², Σw, Σw², Σwr, Σw²r, Σw²r² by experiment, arm, stratum and period."""
    sums: dict[SumKey, list[int]] = defaultdict(lambda: [0] * 8)
    for each in trials.elements():
        if each.reason not in {"policy", "holdout"}:
            continue
        rule, r = rules[each.experiment], each.reward
        rows = {(each.reason, each.at - each.at % rule.period): each.propensity}
        if rule.grouped:
            rows[f"group.{each.unit[0] % 64:02d}.{each.reason}", 0] = each.propensity**0.5
        told = [(stratum, period, share, r) for (stratum, period), share in rows.items()]
        told += [
            (f"{each.reason}:{name}", each.at - each.at % rule.period, each.propensity, value)
            for name, value in each.measured
        ]
        for stratum, period, share, y in told:
            w = round(MICRO / share)
            key = each.experiment, each.arm, each.slot, 1, stratum, period
            for place, term in enumerate((1, y, y * y, w, w * w, w * y, w * w * y, w * w * y * y)):
                sums[key][place] += term
    return {key: tuple(eight) for key, eight in sums.items()}


# --- and does it agree ----------------------------------------------------------------------------


def differences(data: DataFile, rules: Mapping[str, Rules]) -> list[str]:
    """Where a data file with no open story says other things than its own log."""
    wanted = recount(data.events, rules)
    ids = Counter(one["id"] for one in data.observations)
    funnels = Counter(one["decision"]["tracking_id"] for one in data.funnels)
    return [
        *_same("observations", Counter(map(trial, data.observations)), wanted.trials),
        *_same("observation ids", ids, Counter(dict.fromkeys(ids, 1))),
        *_same("funnels", funnels, Counter(dict.fromkeys(wanted.impressed, 1))),
        *_same("late", data.late, wanted.late),
        *_same("sums", _items(data.sums), _items(wanted.sums)),
        *_same("counts", _items(data.counts), _items(wanted.counts)),
        *_same("open", Counter(data.open), Counter()),
        *([f"position {data.position}, end {data.end}"] if data.position != data.end else []),
        *_sessions(data, rules),
    ]


def pages(data: DataFile, rules: Mapping[str, Rules]) -> dict[str, Raw]:
    """What GET /v1/experiments/NAME must answer, from the log: its numbers."""
    wanted = recount(data.events, rules)
    answers: dict[str, Raw] = {}
    for name in rules:
        n: Counter[tuple[str, int]] = Counter()
        r: Counter[tuple[str, int]] = Counter()
        for key, eight in wanted.sums.items():
            if key[0] == name:
                n[key[4], key[1]] += eight[0]
                r[key[4], key[1]] += eight[1]
        numbers = data.arm_sets[name]
        arms = [(arm, ("policy", number)) for arm, number in numbers.items()]
        held = [("holdout", number) for number in numbers.values()]
        left_out = ("repeat", "holdout", "pinned", "default")
        answers[name] = {
            "observations": wanted.counts.get((name, "observations"), 0),
            "not_learned": sum(wanted.counts.get((name, why), 0) for why in left_out),
            "late": wanted.counts.get((name, "late"), 0),
            "open": 0,
            "arms": [(arm, n[key], r[key] / MICRO) for arm, key in arms],
            "holdout": (sum(n[key] for key in held), sum(r[key] for key in held) / MICRO),
        }
    return answers


class Drawn(NamedTuple):
    """What a snapshot amounts to: each arm's share by slot, and of being in any slot."""

    shares: list[list[float]]
    included: list[float]


def drawn_from(snapshot: Raw, rules: Rules) -> Drawn:
    """P(arm in slot) = s/K + (1 − s)·c/R, counted over the rankings that were published.

    For policies whose only exploration is the floor, s = K·min(0.01, 0.1/K).
    """
    arms, slots = len(snapshot["names"]), snapshot.get("slots", 1)
    if slots == 1:
        return Drawn([[weight] for weight in snapshot["weights"]], snapshot["weights"])
    flat = np.frombuffer(zlib.decompress(snapshot["rankings"]), dtype="<u2").astype(int)
    ranks = flat[1:].reshape(-1, flat[0])[:, :slots]
    shuffled = arms * min(0.01, 0.1 / arms)
    counts = np.array([(ranks == arm).sum(axis=0) for arm in range(arms)])
    shares = shuffled / arms + (1 - shuffled) * counts / len(ranks)
    included = shares.sum(axis=1)
    if rules.ranking == "pooled":
        shares = np.repeat(included[:, None] / slots, slots, axis=1)
    return Drawn(shares.tolist(), included.tolist())


def thompson_weights(n: Sequence[int], successes: Sequence[int]) -> list[float]:
    """P(arm is best) under Beta(1 + s, 1 + n − s) by adaptive quadrature, with the floor."""
    beliefs = [stats.beta(1 + s, 1 + t - s) for t, s in zip(n, successes, strict=True)]
    weights = []
    for place, belief in enumerate(beliefs):
        others = [other for at, other in enumerate(beliefs) if at != place]

        def density(x: float, belief: Any = belief, others: Any = others) -> float:
            return float(belief.pdf(x) * np.prod([other.cdf(x) for other in others]))

        low, high = belief.ppf(1e-14), belief.isf(1e-14)
        middle = [belief.ppf(q) for q in (1e-6, 0.02, 0.5, 0.98, 1 - 1e-6)]
        area, _ = integrate.quad(density, low, high, points=middle, limit=400, epsabs=1e-11)
        weights.append(area)
    floor = min(0.01, 0.1 / len(n))
    return [floor + (1 - len(n) * floor) * weight for weight in weights]


def _sessions(data: DataFile, rules: Mapping[str, Rules]) -> list[str]:
    """Sessions are fixed buckets with one phase a unit: some phase must explain them all."""
    phases: dict[tuple[str, bytes], tuple[int, int]] = {}
    found = []
    for _, event in data.events:
        decision = event.get("decision")
        if decision is None:
            continue
        length, key = (
            rules[decision["experiment"]].session,
            (decision["experiment"], decision["unit"]),
        )
        if length is None:
            if decision["session"] != 0:
                found.append(f"session {decision['session']} where there are none: {key}")
            continue
        least = decision["session"] * length - decided_at(decision["tracking_id"])
        low, high = phases.get(key, (0, length - 1))
        phases[key] = max(low, least), min(high, least + length - 1)
    found += [f"no phase explains the sessions of {key}" for key, (a, b) in phases.items() if a > b]
    return found[:5]


def _items(table: Mapping[Any, Any]) -> Counter[Any]:
    return Counter(table.items())


def _same(what: str, found: Counter[Any], wanted: Counter[Any]) -> list[str]:
    missing, extra = wanted - found, found - wanted
    if not missing and not extra:
        return []
    lines = [
        f"  {sign} {item!r}" + (f" ×{times}" if times > 1 else "")
        for sign, many in (("missing", missing), ("extra", extra))
        for item, times in list(many.items())[:6]
    ]
    return [
        f"{what}: {missing.total()} missing, {extra.total()} extra of {wanted.total()}\n"
        + "\n".join(lines)
    ]
