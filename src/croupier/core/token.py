"""The signed token: a decision that travels with whoever reports on it."""

import binascii
import hmac
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from struct import Struct
from typing import get_args

from croupier.core.records import Decision, Reason

ENCODING, POOLED = 1, 2
"""What the first byte says: slots as (arm, propensity), or as (arm, propensity, inclusion)."""
_HEAD = Struct(">BB15s6s16sQHIBB")
_SLOT, _POOLED_SLOT = Struct(">Hf"), Struct(">Hff")
_SLOTS = {ENCODING: _SLOT, POOLED: _POOLED_SLOT}
_MAC_BYTES = 16
_LONGEST = 2_048
_REASONS: tuple[Reason, ...] = get_args(Reason)
_DEGRADED = 0x80
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class TokenError(ValueError):
    """Why a token proves nothing; the text can be shown to whoever sent it."""


def experiment_tag(name: str) -> bytes:
    """Six bytes that stand for an experiment's name inside a token."""
    return blake2b(name.encode(), digest_size=6, person=b"croupier-name").digest()


class Signer:
    """Signs decisions with the newest key, verifies them with any key that it still holds.

    The token is base64url of: encoding, key id, tracking id (15 bytes), experiment (6), unit hash
    (16), session, declaration, snapshot, flags, number of slots, then arm number and float32
    propensity (and inclusion, where slots are pooled) of each slot, then a 128-bit keyed BLAKE2b
    over all of it. One slot takes 103 characters, each further one 8, or 13 to 14 with inclusions.

    >>> signer = Signer({1: bytes(32)}, ["b"])
    >>> decision = Decision(
    ...     tracking_id=bytes(15), experiment="b", unit=bytes(16), session=7, declaration=1,
    ...     snapshot=12, slate=(1,), propensities=(0.75,),
    ... )
    >>> token = signer.sign(decision)
    >>> len(token), signer.verify(token) == decision
    (103, True)

    Source: RFC 7693 (Saarinen & Aumasson 2015), keyed BLAKE2.
    """

    def __init__(self, keys: Mapping[int, bytes], experiments: Iterable[str]) -> None:
        if not keys or not all(0 < key_id < 256 and len(key) >= 16 for key_id, key in keys.items()):
            raise ValueError("expected keys of at least 16 bytes, numbered from 1 to 255")
        self._current = max(keys)
        self._macs = {
            key_id: blake2b(key=key[:64], digest_size=_MAC_BYTES, person=b"croupier-token")
            for key_id, key in keys.items()
        }
        self._names: dict[bytes, str] = {}
        self._tags: dict[str, bytes] = {}
        for name in experiments:
            self.admit(name)

    def admit(self, name: str) -> None:
        """Sign and verify for one more experiment; ValueError if its tag is taken."""
        tag = experiment_tag(name)
        if self._names.setdefault(tag, name) != name:
            raise ValueError(f"{name!r} and {self._names[tag]!r} have the same tag: rename one")
        self._tags[name] = tag

    def sign(self, decision: Decision) -> str:
        """The token of a decision."""
        slate, propensities = decision.slate, decision.propensities
        pooled = decision.inclusions
        body = _HEAD.pack(
            POOLED if pooled else ENCODING,
            self._current,
            decision.tracking_id,
            self._tags[decision.experiment],
            decision.unit,
            decision.session,
            decision.declaration,
            decision.snapshot,
            _REASONS.index(decision.reason) | (_DEGRADED if decision.degraded else 0),
            len(slate),
        ) + b"".join(
            map(_POOLED_SLOT.pack, slate, propensities, pooled)
            if pooled
            else map(_SLOT.pack, slate, propensities)
        )
        mac = self._macs[self._current].copy()
        mac.update(body)
        text = binascii.b2a_base64(body + mac.digest(), newline=False)
        return text.translate(_TO_URL, b"=").decode("ascii")

    def verify(self, token: str) -> Decision:
        """The decision inside; TokenError when we did not sign it, or cannot read it."""
        raw = _unbase64(token)
        if len(raw) < _HEAD.size + _SLOT.size + _MAC_BYTES or raw[0] not in _SLOTS:
            raise TokenError("token is malformed")
        mac = self._macs.get(raw[1])
        if mac is None:
            raise TokenError("token was signed with a key that is not in use")
        body = raw[:-_MAC_BYTES]
        mac = mac.copy()
        mac.update(body)
        if not hmac.compare_digest(mac.digest(), raw[-_MAC_BYTES:]):
            raise TokenError("token signature does not match")
        return self._read(body)

    def _read(self, body: bytes) -> Decision:
        (_, _, tracking_id, tag, unit, session, declaration, snapshot, flags, slots) = (
            _HEAD.unpack_from(body)
        )
        experiment = self._names.get(tag)
        if experiment is None:
            raise TokenError("token is for an experiment that is not declared here")
        slot = _SLOTS[body[0]]
        if len(body) != _HEAD.size + slots * slot.size:
            raise TokenError("token is malformed")
        if flags & 0x0F >= len(_REASONS):
            raise TokenError("token was made by a newer server")
        slate, propensities, *inclusions = zip(*slot.iter_unpack(body[_HEAD.size :]), strict=True)
        return Decision(
            tracking_id=tracking_id,
            experiment=experiment,
            unit=unit,
            session=session,
            declaration=declaration,
            snapshot=snapshot,
            slate=slate,
            propensities=propensities,
            reason=_REASONS[flags & 0x0F],
            degraded=bool(flags & _DEGRADED),
            inclusions=inclusions[0] if inclusions else (),
        )


def _unbase64(token: str) -> bytes:
    if len(token) > _LONGEST:
        raise TokenError(f"token is longer than {_LONGEST} characters")
    try:
        text = token.encode("ascii").translate(_FROM_URL)
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are
        raise TokenError("token is malformed") from None
