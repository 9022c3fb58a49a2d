"""`[experiment.candidates]`: where the arms are listed, how often to look."""

from collections.abc import Iterator

import msgspec

from croupier.core.candidates.schedule import next_due


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column of the table says what; "" where none does."""

    arm: str = "arm"
    active: str = ""
    valid_from: str = ""
    valid_until: str = ""
    experiment: str = ""
    group: str = ""


class Candidates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[experiment.candidates]`: where the arms are listed, and how often to look.

    `most` is the largest share of the active arms that one refresh may take away; `keep` says that
    arms that vanish are paused, else they are removed.
    """

    source: str
    schedule: str = "24h"
    columns: Columns = Columns()
    most: float = 0.5
    keep: bool = True

    def problems(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, as (key, reason).

        >>> list(Candidates("arms.csv", most=2.0).problems())
        [('most', 'expected a share from 0 to 1, got 2.0')]
        """
        try:
            next_due(self.schedule, 0)
        except ValueError as error:
            yield "schedule", str(error)
        if not 0 <= self.most <= 1:
            yield "most", f"expected a share from 0 to 1, got {self.most}"
        if not self.columns.arm:
            yield "columns.arm", "the column that names the arms is needed"
