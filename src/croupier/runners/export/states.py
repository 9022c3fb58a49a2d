"""Arm states as a table: what was learned of each arm in each period."""

from collections import defaultdict
from collections.abc import Sequence

from croupier.config.backends import Backends
from croupier.core.arms.groups import split_stratum
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.columns import Column
from croupier.core.declarations import Declarations
from croupier.core.reward import MICRO
from croupier.runners.export.days import Files, Sheet, Span, day_of

SUMS = (
    Column("n", "whole", "trials"),
    Column("reward_sum", "number", "Σr"),
    Column("reward_square_sum", "number", "Σr²"),
    Column("weight_sum", "number", "Σw, w = 1/propensity"),
    Column("weight_square_sum", "number", "Σw²"),
    Column("weighted_reward_sum", "number", "Σwr"),
    Column("weight_square_reward_sum", "number", "Σw²r"),
    Column("weight_square_reward_square_sum", "number", "Σw²r²"),
    Column("mean", "number", "Σr / n"),
    Column(
        "exact",
        "text",
        "the eight sums n Σr Σr² Σw Σw² Σwr Σw²r Σw²r² as whole numbers, r and w in millionths: "
        "10⁻⁶ a factor; they outgrow 64 bits",
    ),
)
_FACTORS = (0, 1, 2, 1, 2, 2, 3, 4)
STATES_SHEET = Sheet(
    "states",
    (
        Column("period", "time", "start of the period; its day is the file's"),
        Column("experiment", "text", "experiment"),
        Column("arm", "text", "name of the arm"),
        Column("arm_number", "whole", "its number, for ever"),
        Column("slot", "whole", "place in the slate"),
        Column("reward_version", "whole", "version of the reward; numbers of two never compare"),
        Column(
            "stratum",
            "text",
            "policy trains; holdout compares; of the same trials policy:x is what guardrail or "
            "signal x measured, and imported those of policy that were imported",
        ),
        *SUMS,
    ),
)


def sums_row(text: str) -> Sequence[object]:
    """The columns of sums, from their exact text.

    >>> sums_row(Sums.of(500_000, 0.5).encode())[:5]
    (1, 0.5, 0.25, 2.0, 4.0)
    """
    sums = Sums.decode(text)
    numbers = (
        each / MICRO**power if power else each for each, power in zip(sums, _FACTORS, strict=True)
    )
    return (*numbers, sums.mean, text)


def export_states(
    backends: Backends, declarations: Declarations, names: Sequence[str], span: Span, files: Files
) -> None:
    """The committed sums, experiment by experiment; a period of before 32 days ago is a day."""
    for name in names:
        days: dict[int, list[tuple[StateKey, Sums]]] = defaultdict(list)
        for key, sums in backends.states.load(name).sums.items():
            if split_stratum(key.stratum)[0] is None:  # groups of units are of no day
                days[day_of(key.period)].append((key, sums))
        arms = declarations.arms(name).arms
        for day in filter(span.holds, sorted(days)):
            with files.day(day) as tables:
                for key, sums in sorted(days[day]):
                    row = (
                        key.period, name, arms[key.arm].name, key.arm, key.slot,
                        key.reward_version, key.stratum, *sums_row(sums.encode()),
                    )  # fmt: skip
                    tables.add(STATES_SHEET, name, row)
