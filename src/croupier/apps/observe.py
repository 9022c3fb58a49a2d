"""observe: funnels → observations, a trial of each arm that a session saw."""

from collections.abc import Iterable

from croupier.core.declarations import Declarations
from croupier.core.fold import Stage
from croupier.core.records import Funnel, Observation
from croupier.core.session import SessionFold, SessionKey


class Observe:
    """Reads funnels; holds the sessions that are still open. Follows the time of `join`."""

    def __init__(self, declarations: Declarations) -> None:
        self.stage: Stage[Funnel, SessionKey, dict[bytes, Funnel], Observation] = Stage(
            SessionFold(declarations)
        )

    def feed(self, funnels: Iterable[Funnel]) -> None:
        """Apply funnels; none is late, because a session closes after all of its funnels.

        A funnel of a session that is closed is one that was told before, by a `join` that was
        killed before it could say so.
        """
        fold, stage = self.stage.fold, self.stage
        for funnel in funnels:
            if stage.closes(fold.deadline(fold.key(funnel))) > stage.watermark:
                stage.apply(funnel, 0)

    def close(self, watermark: int) -> list[Observation]:
        """The observations of all sessions whose time is up."""
        return self.stage.advance(watermark)
