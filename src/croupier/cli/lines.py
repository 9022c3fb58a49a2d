"""Records of the log as lines of text."""

import json
from collections.abc import Callable
from typing import Any


def line_of(fields: dict[str, Any]) -> str:
    """One record, as `fields_of` gives it, on one line."""
    words = _LINES.get(fields["type"])
    return json.dumps(fields) if words is None else words(fields)


def _event(fields: dict[str, Any]) -> str:
    decision, slot = fields["decision"], fields.get("slot", 0)
    arm = ", ".join(map(str, decision["slate"])) if slot < 0 else decision["slate"][slot]
    value = f"  value {fields['value'] / 1e6:g}" if fields.get("value") else ""
    named = f"  id {fields['id']}" if fields.get("id") else ""
    return f"{fields['kind']:<12} {arm}{value}{named}  {_decided(decision)}"


def _funnel(fields: dict[str, Any]) -> str:
    decision = fields["decision"]
    told = [
        f"{arm} {f'seen {at}' if at else 'not seen'}"
        + "".join(f", {kind} {count}x" for kind, (count, _) in outcomes.items())
        for arm, at, outcomes in zip(
            decision["slate"], fields["shown"], fields["outcomes"], strict=True
        )
    ]
    return f"{'; '.join(told)}  {_decided(decision)}"


def _observation(fields: dict[str, Any]) -> str:
    return (
        f"{fields['arm']}  reward {fields['reward'] / 1e6:g}  "
        f"propensity {fields['propensity']:.4g}  {fields['reason']}  {fields['experiment']}  "
        f"reward version {fields['reward_version']}  "
        f"seen {fields['at']}  unit {fields['unit'][:12]}"
    )


def _declared(fields: dict[str, Any]) -> str:
    spec = fields["spec"]
    terms = json.dumps(spec["reward"]["terms"])
    return (
        f"{spec['name']}: declaration {fields['version']}, reward version "
        f"{fields['reward_version']}, from {fields['at']} on, reward {terms}"
    )


def _arm_set(fields: dict[str, Any]) -> str:
    arms = ", ".join(
        arm["name"] + ("" if arm["status"] == "active" else f" ({arm['status']})")
        for arm in fields["arms"]
    )
    who = fields.get("by", "config")
    return f"{fields['experiment']}: arms {fields['version']}, {fields['change']} by {who}: {arms}"


def _refill(fields: dict[str, Any]) -> str:
    version, until = fields["reward_version"], fields["watermark"]
    return f"{fields['experiment']}: reward version {version} filled from the past up to {until}"


def _decided(decision: dict[str, Any]) -> str:
    return (
        f"{decision['experiment']}  tracking {decision['tracking_id']}  "
        f"unit {decision['unit'][:12]}  version {decision['snapshot']}  "
        f"{decision.get('reason', 'policy')}"
    )


_LINES: dict[str, Callable[[dict[str, Any]], str]] = {
    "event": _event,
    "funnel": _funnel,
    "observation": _observation,
    "declaration": _declared,
    "arm_set": _arm_set,
    "refill": _refill,
}
