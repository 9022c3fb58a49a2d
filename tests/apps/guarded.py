"""A house with keys: what the tests of the gate stand before."""

from croupier.core.api_key import digest_of, write_key
from tests.apps.house import SINGLE, House

KEYS = {
    name: write_key([name], bytes([n]) * 32)
    for n, name in enumerate(["decide", "ingest", "admin"], 1)
}
"""One key a scope; its name is its scope's."""

NARROW = write_key(["decide", "ingest"], b"n" * 32)
"""A key for another experiment."""

OVER = write_key(["admin"], b"o" * 32)
"""A key that has expired."""

OTHER = SINGLE.replace('name = "top-button"', 'name = "other"')


def api_key(name: str, key: str, *scopes: str, more: str = "") -> str:
    """A table for croupier.toml."""
    lines = f'name = "{name}"\nscopes = {list(scopes)}\ndigest = "{digest_of(key)}"\n{more}\n'
    return f"[[api_key]]\n{lines}"


GUARDED = "\n".join(
    [
        SINGLE,
        OTHER,
        *(api_key(name, key, name) for name, key in KEYS.items()),
        api_key("narrow", NARROW, "decide", "ingest", more='experiments = ["other"]'),
        api_key("over", OVER, "admin", more="expires = 2020-01-01"),
    ]
)


def bearer(key: str) -> dict[str, str]:
    """The header that a caller sends."""
    return {"authorization": f"Bearer {key}"}


def as_admin(house: House) -> None:
    """All that the house's own client asks from now on, it asks with the admin's key."""
    house.client.headers["x-api-key"] = KEYS["admin"]
