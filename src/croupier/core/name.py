"""What may name an experiment, an outcome kind or an API key."""

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def usable_name(text: str) -> bool:
    """Whether a text may be a name.

    >>> usable_name("top-button"), usable_name("top button")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None
