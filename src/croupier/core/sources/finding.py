"""How each field of a report is found in a record."""

from collections.abc import Callable, Mapping
from typing import Any

from croupier.core.sources.declared import Moment, Source, Stated, Word
from croupier.core.sources.moment import millis
from croupier.core.sources.path import Field, Path

Find = Callable[[Any, Any], Any]
"""What a record (and an item of it) says of one field of a report; None where it says nothing."""


class SkippedError(Exception):
    """A record is in order, and not about us: `where`, `kind`, `experiment` or `decision`."""


class Finding:
    """The fields of one source, each with how it is found; ValueError for what it cannot be."""

    def __init__(self, source: Source) -> None:
        self._where = [
            (Path(field), wanted if isinstance(wanted, list) else [wanted])
            for field, wanted in source.where.items()
        ]
        self._names_it = Path(source.token or _stated_in(source).tracking_id)
        self._finds = _finds(source)

    def excludes(self, record: Any) -> bool:
        """Whether `where` says that the whole record is not about us."""
        wheres = ((path, wanted) for path, wanted in self._where if not path.of_item)
        return not all(_is_one_of(path.find(record), wanted) for path, wanted in wheres)

    def fields(self, record: Any, item: Any) -> dict[str, Any]:
        """What is said; SkippedError when it is not about us."""
        if not all(_is_one_of(path.find(record, item), wanted) for path, wanted in self._where):
            raise SkippedError("where")
        if self._names_it.find(record, item) in (None, ""):
            raise SkippedError("decision")
        fields = {}
        for key, find in self._finds.items():
            try:
                found = find(record, item)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
            if found is not None:
                fields[key] = found
        return fields


def _is_one_of(found: Any, wanted: list[Any]) -> bool:
    """Whether it equals one of them, where 1 is not true."""
    return any(isinstance(found, bool) == isinstance(one, bool) and found == one for one in wanted)


def _stated_in(source: Source) -> Stated:
    assert source.decision is not None
    return source.decision


def _finds(source: Source) -> Mapping[str, Find]:
    finds: dict[str, Find] = {"kind": _word(source.kind, "kind")}
    if source.token is not None:
        finds["token"] = Path(source.token).find
    else:
        finds |= _stated(_stated_in(source))
    return finds | _rest(source)


def _stated(stated: Stated) -> dict[str, Find]:
    finds: dict[str, Find] = {
        "experiment": _word(stated.experiment, "experiment"),
        "tracking_id": _of(stated.tracking_id, text_of),
        "decided_at": _moment(stated.decided_at),
        "unit": _of(stated.unit, text_of),
        "slate": _of(stated.slate, lambda found: _listed(found, text_of)),
    }
    shares = stated.propensities
    if isinstance(shares, tuple) and shares and not isinstance(shares[0], str):
        finds["propensities"] = lambda *_: list(shares)
    else:
        finds["propensities"] = _of(shares, lambda found: _listed(found, _number))  # type: ignore[arg-type]
    if stated.inclusions is not None:
        finds["inclusions"] = _of(stated.inclusions, lambda found: _listed(found, _number))
    if stated.reason is not None:
        finds["reason"] = _of(stated.reason, text_of)
    return finds


def _rest(source: Source) -> dict[str, Find]:
    finds: dict[str, Find] = {}
    if isinstance(source.arm, Word):
        finds["arm"] = _word(source.arm)
    elif source.arm is not None:
        finds["arm"] = _of(source.arm, text_of)
    if source.slot is not None:
        finds["slot"] = _of(source.slot, _whole)
    if source.value is not None:
        finds["value"] = _of(source.value, _number)
    if source.time is not None:
        finds["at"] = _moment(source.time)
    return finds


def _of(field: Field, read: Callable[[Any], Any]) -> Find:
    path = Path(field)
    return lambda record, item: read(path.find(record, item))


def _moment(where: Field | Moment) -> Find:
    moment = where if isinstance(where, Moment) else Moment(where)
    return _of(moment.field, lambda found: None if found is None else millis(found, moment.unit))


def _word(word: str | Word, skip: str = "") -> Find:
    """A name of ours; with `skip`, one that is absent or not in the map is of no concern."""
    if isinstance(word, str):
        return lambda *_: word
    path, names = Path(word.field), word.map

    def find(record: Any, item: Any) -> str | None:
        found = text_of(path.find(record, item))
        if found is not None and names is not None:
            if found not in names and not skip:
                raise ValueError(f"{found[:80]!r} is not in the map")
            found = names.get(found)
        if found is None and skip:
            raise SkippedError(skip)
        return found

    return find


def text_of(found: Any) -> str | None:
    """A text; whole numbers are texts to us; ValueError for anything else."""
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**64:
        return str(found)
    raise ValueError("expected a text or a whole number")


def _number(found: Any) -> float | None:
    """A number, or a text that is one, as amounts often are."""
    if found is None or (isinstance(found, int | float) and not isinstance(found, bool)):
        return found
    if isinstance(found, str) and len(found) < 40 and "_" not in found:
        try:
            return float(found)
        except ValueError:
            pass
    raise ValueError("expected a number")


def _whole(found: Any) -> int | None:
    number = _number(found)
    if number is not None and number not in range(256):
        raise ValueError("expected a slot, counted from 0")
    return None if number is None else int(number)


def _listed(found: Any, read: Callable[[Any], Any]) -> list[Any] | None:
    """A list, or one for a list of one."""
    if found is None:
        return None
    return [read(one) for one in (found if isinstance(found, list) else [found])]
