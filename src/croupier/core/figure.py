"""A number as people read it: four digits, or a question mark."""


def figure(value: float | None) -> str:
    """Four digits; "?" for what is not known.

    >>> figure(0.123456), figure(None)
    ('0.1235', '?')
    """
    return "?" if value is None else f"{value:.4g}"
