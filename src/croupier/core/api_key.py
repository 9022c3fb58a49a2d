"""API keys: what each may do, and the digests that stand for them."""

import base64
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Literal, get_args

import msgspec

Right = Literal["decide", "ingest", "admin"]
"""What a key may do: ask for decisions, report without a token, change and import."""

SCOPES: tuple[Right, ...] = get_args(Right)
SECRET_BYTES = 32
_SHORT = {"decide": "dec", "ingest": "ing", "admin": "adm"}


class ApiKey(msgspec.Struct, frozen=True):
    """One key as it is configured: a digest instead of the key, so that there is no secret in it.

    `expires` is milliseconds since 1970 (None: never); `experiments` are those that it may touch
    (None: all of them).
    """

    name: str
    scopes: tuple[Right, ...]
    digest: str
    expires: int | None = None
    experiments: tuple[str, ...] | None = None

    def may(self, scope: Right) -> bool:
        """Whether it has this scope; `admin` has all."""
        return scope in self.scopes or "admin" in self.scopes

    def touches(self, experiment: str | None) -> bool:
        """Whether it may touch an experiment; what names none is for unrestricted keys."""
        return self.experiments is None or experiment in self.experiments


def digest_of(key: str) -> str:
    """What stands for a key in croupier.toml: one SHA-256.

    A key holds 256 random bits, so nobody can try them all, and a slow hash would add nothing.

    >>> digest_of("cr_dec_example")[:19]
    'sha256:49095f5a438b'
    """
    return "sha256:" + sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def usable_digest(digest: str) -> bool:
    """Whether a text may be the digest of a key.

    >>> usable_digest("sha256:" + 64 * "0"), usable_digest("cr_dec_example")
    (True, False)
    """
    kind, _, text = digest.partition(":")
    return kind == "sha256" and len(text) == 64 and not set(text) - set("0123456789abcdef")


def write_key(scopes: Iterable[str], secret: bytes) -> str:
    """The key itself: a prefix that shows its scopes, and the secret in base64url.

    >>> write_key(["decide"], bytes(32))
    'cr_dec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"expected {SECRET_BYTES} random bytes")
    text = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    return "_".join(["cr", *(_SHORT[scope] for scope in scopes), text])


def key_of(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """The key that a request brings, `Authorization: Bearer …` or `X-API-Key: …`; None if none.

    The second wins, for the first may be a gateway's.

    >>> key_of([(b"authorization", b"Bearer cr_dec_example")])
    'cr_dec_example'
    """
    found = None
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip().decode("latin-1")
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            found = value[7:].strip().decode("latin-1")
    return found
