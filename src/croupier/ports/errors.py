"""What a technology behind a port may answer instead."""


class UnavailableError(Exception):
    """The technology behind a port cannot answer now; the same call may succeed later."""


class StaleError(Exception):
    """Another writer has moved on: going on would count twice."""


class UnusableError(Exception):
    """What is there is not ours to use: another's, newer than us, in use, or not as declared."""
