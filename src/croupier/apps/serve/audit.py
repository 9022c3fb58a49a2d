"""The history of changes, read from the log for whoever watches over it."""

from collections import deque

from croupier.apps.serve.service import Service
from croupier.core import codec
from croupier.core.audit import Change, audit
from croupier.ports import ARMS, entries_between


def changes(service: Service, limit: int) -> list[Change]:
    """The newest `limit` changes of declarations and arms, the newest first."""
    log = service.log
    records = (
        record
        for entries in entries_between(log, ARMS, {}, log.ends(ARMS))
        for record in codec.decode_all(entry.payload for entry in entries)
    )
    return list(reversed(deque(audit(records), limit)))
