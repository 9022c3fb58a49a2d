"""The worlds that have a name."""

from croupier.core.duration import DAY, HOUR, MINUTE, SECOND
from croupier.core.worlds.change import Change
from croupier.core.worlds.delays import Delays
from croupier.core.worlds.delivery import Delivery
from croupier.core.worlds.traffic import Traffic
from croupier.core.worlds.visitors import Visitors
from croupier.core.worlds.world import World

WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        World(name="stationary", about="Nothing changes; reports arrive once, within a second."),
        World(
            name="drifting",
            about="Arms take the lead in turn, over four days.",
            change=Change(amplitude=0.5, period=4 * DAY, in_turn=True),
        ),
        World(
            name="cyclic",
            about="Traffic peaks at noon and all rates in the evening; the best arm stays best.",
            change=Change(amplitude=0.6, peak=20 * HOUR),
            traffic=Traffic(amplitude=0.8),
        ),
        World(
            name="delayed",
            about="Half of the outcomes take over 5 minutes, and 14 % over 15.",
            delays=Delays(act=5.0 * MINUTE, spread=1.0),
        ),
        World(
            name="hostile",
            about="Reports come twice (20 %), shuffled, hours late (5 %), or never (1 %).",
            delivery=Delivery(lag=30.0 * SECOND, duplicates=0.2, late=0.05, lost=0.01),
        ),
        World(
            name="returning",
            about="Six visits in ten are by units that came before, seconds to a day ago.",
            visitors=Visitors(returning=0.6),
        ),
    )
}
"""Every named world, by its name."""
