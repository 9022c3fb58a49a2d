"""croupier doctor."""


def doctor() -> None:
    """Doctor."""
