"""A decision on the screen: the shares, the point, and the arm it fell on."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from croupier.config.backends import Backends
    from croupier.core.explain import Explanation, Share

_TRACKING_DIGITS = 30


def print_explanation(backends: "Backends", keys: str | Path, text: str, *, as_json: bool) -> None:
    """Explain a tracking id or a token; ConfigError says what is missing.

    `keys` are where `read_keys` looks: the data, or a file.
    """
    found = _explained(backends, keys, text)
    logged = _names_of(backends, found)
    if as_json:
        print(json.dumps(_fields(found, logged), ensure_ascii=False))
        return
    decision = found.decision
    print(f"decision   {decision.tracking_id.hex()} of {decision.experiment}")
    print(f"at         {_iso(decision.at)}, from snapshot {decision.snapshot}")
    print(f"reason     {decision.reason}, drawn by {found.drawn_from}")
    for share in found.shares:
        mark = "◄" if found.point is not None and _holds(share, found.point) else ""
        print(
            f"  {share.number:3} {share.weight:9.6f} {_stretch(share)} {share.name} {mark}".rstrip()
        )
    if found.point is not None:
        print(f"point      {found.point:.12f}")
    for slot, (name, propensity) in enumerate(zip(logged, decision.propensities, strict=True)):
        print(f"shown      slot {slot}: {name}, propensity {propensity:.6g}")
    print(f"again      {_verdict(found)}")


def _explained(backends: "Backends", place: str | Path, text: str) -> "Explanation":
    from croupier.config.errors import ConfigError
    from croupier.config.keys import read_keys
    from croupier.core.token import Signer, TokenError
    from croupier.runners.declare import read_declarations
    from croupier.runners.looking.again import explained, explained_decision

    if len(text) == _TRACKING_DIGITS:
        try:
            tracking_id = bytes.fromhex(text)
        except ValueError:
            raise ConfigError(f"{text}: expected 30 hexadecimal digits, or a token") from None
        return explained(backends, tracking_id)
    keys, names = read_keys(place, os.environ), read_declarations(backends.log).names()
    try:
        return explained_decision(backends, Signer(keys.token, names).verify(text))
    except TokenError as error:
        raise ConfigError(f"{error}; expected a token of this server, or 30 hex digits") from None


def _names_of(backends: "Backends", found: "Explanation") -> list[str]:
    from croupier.runners.declare import read_declarations

    arms = read_declarations(backends.log).arms(found.decision.experiment).arms
    return [arms[number].name for number in found.decision.slate]


def _fields(found: "Explanation", logged: list[str]) -> dict[str, object]:
    decision = found.decision
    return {
        "tracking_id": decision.tracking_id.hex(),
        "experiment": decision.experiment,
        "at": _iso(decision.at),
        "version": decision.snapshot,
        "reason": decision.reason,
        "drawn_from": found.drawn_from,
        "point": found.point,
        "shares": [share._asdict() for share in found.shares],
        "shown": logged,
        "propensities": list(decision.propensities),
        "again": list(found.slate),
        "agrees": found.agrees,
    }


def _iso(at: int) -> str:
    from croupier.runners.looking.readable import iso

    return iso(at)


def _holds(share: "Share", point: float) -> bool:
    return (
        share.begins is not None and share.ends is not None and share.begins <= point < share.ends
    )


def _stretch(share: "Share") -> str:
    if share.begins is None or share.ends is None:
        return ""
    return f"[{share.begins:.6f}, {share.ends:.6f})"


def _verdict(found: "Explanation") -> str:
    if found.agrees:
        return "the same draw gives the same slate with the same propensities"
    return (
        f"an unrestricted request draws {', '.join(found.slate) or 'nothing'}: this one was "
        "restricted (eligible, exclude), or the snapshot was served on in between"
    )
