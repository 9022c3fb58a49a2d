"""Where in a JSON document something stands."""

from collections.abc import Sequence
from typing import Any

Field = str | tuple[str, ...]
"""A path as it is written: "order.id", or ["order", "id"] where a name holds a dot."""


class Path:
    """Steps into a document: names of objects, and numbers in lists, from 0.

    One that begins with a dot begins at the item that is looked at, not at the record.

    >>> record, item = {"order": {"id": 7}}, {"sku": "a"}
    >>> Path("order.id").find(record, item), Path(".sku").find(record, item)
    (7, 'a')
    >>> Path("lines.0.sku").find({"lines": [item]}), Path("order.total").find(record)
    ('a', None)
    """

    def __init__(self, field: Field) -> None:
        steps: Sequence[str] = field.split(".") if isinstance(field, str) else field
        self.of_item = not steps[0]
        self._steps = [step for step in steps if step] if self.of_item else list(steps)

    def find(self, record: Any, item: Any = None) -> Any:
        """What stands there; None where nothing does, or null."""
        here = item if self.of_item else record
        for step in self._steps:
            if isinstance(here, dict):
                here = here.get(step)
            elif isinstance(here, list) and step.isdecimal() and len(step) < 10:
                number = int(step)
                here = here[number] if number < len(here) else None
            else:
                return None
        return here


def path_problem(field: Field) -> str | None:
    """Why this can be no path, if so.

    >>> path_problem("order..id"), path_problem("order.id"), path_problem(".")
    ('a path has names between its dots, such as "order.id"', None, None)
    """
    steps = field.split(".") if isinstance(field, str) else field
    if field != "." and (not steps or not all(steps[1:]) or tuple(steps) == ("",)):
        return 'a path has names between its dots, such as "order.id"'
    return None
