"""What may name an experiment, an outcome kind, a guardrail or an API key."""

import re

A_NAME = "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"
"""What a name is, in words."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def usable_name(text: str) -> bool:
    """Whether a text is 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit.

    >>> usable_name("top-button"), usable_name("top button")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None
