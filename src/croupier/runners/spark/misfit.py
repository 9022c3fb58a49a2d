"""What a checkpoint may turn out to be: not one of this query, at this place."""


class MisfitError(Exception):
    """The checkpoint contradicts the stores, or itself: it is to be set aside."""


def must_reach(what: str, committed: int, start: int, first: int) -> None:
    """MisfitError where a batch begins behind what is committed, and behind where reading began."""
    if first > max(committed, start):
        raise MisfitError(
            f"{what} is committed up to {committed}, Spark's checkpoint goes on at {first}: what "
            "lies between would be lost"
        )
