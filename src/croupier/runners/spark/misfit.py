"""What a checkpoint may turn out to be: not one of this query, at this place."""


class MisfitError(Exception):
    """The checkpoint contradicts the stores, or itself: it is to be set aside."""
