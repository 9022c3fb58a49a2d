"""A table behind an http(s) address that answers with CSV or JSON."""

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from croupier.adapters.tables.text import MOST_BYTES, read_rows
from croupier.ports import UnavailableError

_SECONDS, _ALL_SECONDS = 10.0, 60.0
_CHUNK = 65_536


class AddressTable:
    """Table over an address; what it is, the answer's content type says, else its beginning."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self) -> list[Mapping[str, object]]:
        """Every row."""
        try:
            # The scheme was checked when the address was read from the settings.
            request = urllib.request.Request(  # noqa: S310
                self._url, headers={"accept": "application/json, text/csv;q=0.9"}
            )
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                body, kind = self._read(answer), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            raise UnavailableError(f"{self._url}: {error.code} {error.reason}") from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise UnavailableError(f"{self._url}: {reason}") from error
        is_json = {"application/json": True, "text/csv": False}.get(kind)
        return read_rows(body, self._url, is_json=is_json)

    def _read(self, answer: Any) -> bytes:
        """The body, within a time and a size."""
        deadline, body = time.monotonic() + _ALL_SECONDS, b""
        while chunk := answer.read1(_CHUNK):
            body += chunk
            if len(body) > MOST_BYTES or time.monotonic() > deadline:
                raise UnavailableError(
                    f"{self._url}: more than {MOST_BYTES} bytes or {_ALL_SECONDS:.0f} s"
                )
        return body
