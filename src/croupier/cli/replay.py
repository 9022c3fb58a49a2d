"""croupier replay."""


def replay() -> None:
    """Replay."""
