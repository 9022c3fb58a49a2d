"""From options to the experiments that a simulation plays."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import typer
from msgspec.structs import replace

from croupier.config.errors import ConfigError
from croupier.config.settings import load_settings, parse_settings
from croupier.core.evaluate.softmax import Softmax
from croupier.core.experiment import Experiment
from croupier.core.policies.base import Allocation
from croupier.core.policies.registry import POLICIES
from croupier.core.problems import problems
from croupier.core.worlds.registry import WORLDS
from croupier.core.worlds.world import World

LEARNERS = (*(kind for kind in POLICIES if kind != "uniform"), "softmax")
"""The kinds that an evaluation can let learn: all that learn, and one to compare them with."""

Players = dict[str, Experiment]
"""The same experiment under each policy, by the policy's text."""


class Options(NamedTuple):
    """What was said on the command line; None where nothing was."""

    world: str
    seed: int
    config: Path | None = None
    experiment: str | None = None
    arms: str | None = None
    refresh: str | None = None
    session: str | None = None
    slots: int | None = None
    ranking: str | None = None

    @property
    def said(self) -> dict[str, str | int]:
        """Settings of an experiment that were given as options."""
        keys = ("refresh", "session", "slots", "ranking")
        pairs = {key: getattr(self, key) for key in keys}
        return {key: text for key, text in pairs.items() if text is not None}


class Play(NamedTuple):
    """What is to be simulated: a world, its luck, the arms' mean rates, and who plays."""

    world: World
    seed: int
    rates: list[float]
    players: Players


def play_of(options: Options, policies: Sequence[str]) -> Play:
    """Check all options; raises BadParameter, which names the option and ends with code 2."""
    if options.world not in WORLDS:
        raise _wrong("--world", f"{options.world!r} is none of {', '.join(WORLDS)}")
    if options.seed < 0:
        raise _wrong("--seed", f"must not be negative, got {options.seed}")
    players, rates = _players(options, policies)
    world = WORLDS[options.world]
    reason = world.change.problem(rates)
    if reason:
        raise _wrong("--arms", f"{reason} in the {world.name} world")
    return Play(world, options.seed, rates, players)


def _wrong(option: str, reason: str) -> typer.BadParameter:
    return typer.BadParameter(reason, param_hint=option)


def _players(options: Options, policies: Sequence[str]) -> tuple[Players, list[float]]:
    """An experiment for each policy, and the arms' mean rates."""
    base = _declared(options.config, options.experiment)
    rates = _rates(options.arms, len(base.arms) if base else 3)
    if base and len(rates) != len(base.arms):
        reason = f"{base.name} has {len(base.arms)} arms, got {len(rates)} rates"
        raise _wrong("--arms", reason)
    names = base.arms if base else tuple(map(_letter, range(len(rates))))
    players = {}
    for text in policies or ["" if base else "thompson"]:
        made = experiment_of(names, text or "thompson", {"refresh": "1m", **options.said})
        if base:
            changes = {key: getattr(made, key) for key in options.said}
            if options.slots is not None:
                changes["default"] = made.default
            made = replace(base, **changes, policy=made.policy if text else base.policy)
            _check(made)
        players[text or str(made.policy.__struct_config__.tag)] = made
    return players, rates


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"arm {place + 1}"


def _declared(config: Path | None, name: str | None) -> Experiment | None:
    if config is None:
        if name is not None:
            raise _wrong("--experiment", "needs --config, the file that declares it")
        return None
    found = {spec.name: spec for spec in load_settings(config).experiments}
    if name is None and len(found) > 1:
        raise _wrong("--experiment", f"needed to choose one of {', '.join(found)}")
    spec = found.get(name or next(iter(found)))
    if spec is None:
        raise _wrong("--experiment", f"{name!r} is none of {', '.join(found)}")
    if spec.candidates is not None:
        raise _wrong("--experiment", f"{spec.name} has its arms from a table: say --arms instead")
    return spec


def _rates(text: str | None, arms: int) -> list[float]:
    if text is None:
        return [round(0.02 + 0.01 * arm / max(1, arms - 1), 6) for arm in range(arms)]
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise _wrong("--arms", f"expected rates such as 0.02,0.03, got {text!r}") from None


def experiment_of(
    names: Sequence[str], policy: str, settings: Mapping[str, str | int]
) -> Experiment:
    """An experiment of these arms, read as from a croupier.toml."""
    kind, _, rest = policy.partition(":")
    if kind not in POLICIES:
        raise _wrong("--policy", f"{kind!r} is none of {', '.join(POLICIES)}")
    parts = [("kind", kind), *(part.partition("=")[::2] for part in rest.split(",") if part)]
    inline = ", ".join(f"{json.dumps(key)} = {_value(text)}" for key, text in parts)
    lines = [f"{key} = {json.dumps(text)}" for key, text in settings.items()]
    lines += [f"policy = {{ {inline} }}", f"arms = {json.dumps(names)}", "reward = { click = 1.0 }"]
    default = list(names[: int(settings.get("slots", 1))])
    lines += [f"default = {json.dumps(default)}", 'name = "simulated"']
    try:
        return parse_settings("\n".join(["[[experiment]]", *lines]), "").experiments[0]
    except ConfigError as error:
        problem = error.problems[0].removeprefix(': experiment "simulated": ')
        key, _, reason = problem.partition(": ")
        raise _wrong(f"--{key}", reason + (f" in {policy!r}" if key == "policy" else "")) from None


def _value(text: str) -> str:
    """A TOML value: a number, true or false as it is, all else as a text."""
    plain = text in ("true", "false") or (text.isascii() and text.replace(".", "", 1).isdigit())
    return text if plain else json.dumps(text)


def _check(spec: Experiment) -> None:
    for key, reason in problems(spec):
        raise _wrong(f"--{key}", reason)


def policy_of(text: str) -> Allocation | None:
    """A policy that learns, with its settings; None for other words, and for "uniform" alone."""
    kind = text.partition(":")[0]
    if kind == "softmax":
        try:
            return Softmax.of(text)
        except ValueError as error:
            raise _wrong("--policy", str(error)) from None
    known = kind in POLICIES and text != "uniform"
    return experiment_of(["a", "b"], text, {}).policy if known else None
