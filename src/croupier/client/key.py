"""The API key that goes along with each request."""

import os
from collections.abc import Mapping


def with_key(headers: Mapping[str, str] | None, api_key: str | None) -> dict[str, str]:
    """The headers with the key, beside a gateway's own; ValueError if it cannot be one.

    >>> with_key({"x-team": "web"}, "cr_dec_example")
    {'x-team': 'web', 'authorization': 'Bearer cr_dec_example'}
    """
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    key = os.environ.get("CROUPIER_API_KEY", "") if api_key is None else api_key
    ours = bearer(key)
    if key and "authorization" in sent:
        sent.setdefault("x-api-key", key)
        return sent
    return sent | ours


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key, none for ""; ValueError, without it, if it cannot be one.

    >>> bearer("cr_dec_example"), bearer("")
    ({'authorization': 'Bearer cr_dec_example'}, {})
    """
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("api_key: it holds characters that no key has")
    return {"authorization": f"Bearer {key}"} if key else {}
