"""Numbers that can be believed: many simulated runs, and how often each method is right.

Seeds are stated; arms are drawn in batches by Thompson sampling with a floor of 1 %, beliefs taken
as normal. The A/A world: two arms of 5 %, 500 visitors an hour, 14 days, a look each hour.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.report import Row, at_least, at_most
from benchmarks.slow_arms import late, slow
from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.adaptive import adaptive_mean
from croupier.core.estimate.anytime import LEAST_SUCCESSES, ratio_sequence
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Contrast
from croupier.core.estimate.returning import factors
from croupier.core.estimate.whole_ratio import pooled_ratio, weighted_ratio
from croupier.core.worlds.batches import merged, play, thompson_shares
from croupier.core.worlds.returning import Returning, play_returning

HOURS, VISITORS = 336, 500


def rows(*, quick: bool) -> Iterator[Row]:
    yield from _false_winners(100 if quick else 2_000)
    yield from _coverage(2_000 if quick else 8_000)
    yield from _ratio(1_000 if quick else 4_000)
    yield from _refreshes(400 if quick else 4_000)
    yield from _deconfounded(50 if quick else 400)
    yield from slow()
    yield from late(200 if quick else 3_000)
    yield from _returning(1_000 if quick else 2_000)


def _false_winners(runs: int) -> Iterator[Row]:
    flags, verdicts = [], []
    for seed in range(max(runs // 500, 1)):
        cells = play(
            np.full((HOURS, 2), 0.05), VISITORS, min(runs, 500), np.random.default_rng(seed)
        )
        verdicts.append(winners(cells))
        flags.append(flagged(cells))
    rate, naive = float(np.mean(np.concatenate(verdicts))), float(np.mean(np.concatenate(flags)))
    note = f"{runs} runs; the rule P(best) > 95 % names a winner in {naive:.0%} of them"
    yield at_most("false winners A/A, at any of 336 looks", "share", rate, 0.05, note)


def winners(cells: Cells, dispersion: FloatArray | float = 1.0) -> FloatArray:
    """Whether a verdict was ever given, by run: the ratio's sequence excluded 1 when ripe."""
    arms = cells.arm(1), cells.arm(0)
    found = ratio_sequence(Contrast.of(*arms, propensities=True).so_far(), dispersion=dispersion)
    ripe = [np.cumsum(arm.r, -1) ** 2 >= LEAST_SUCCESSES * np.cumsum(arm.r2, -1) for arm in arms]
    return np.asarray(np.any(((found.low > 1) | (found.high < 1)) & ripe[0] & ripe[1], axis=-1))


def flagged(cells: Cells) -> FloatArray:
    """Whether P(best) was ever above 95 % after the first hour, by run."""
    n, r = np.cumsum(cells.n, axis=1), np.cumsum(cells.r, axis=1)
    mean = (1.0 + r) / (2.0 + n)
    best = thompson_shares(mean, np.sqrt(mean * (1.0 - mean) / (n + 3.0)))
    return np.asarray(np.any(best[:, 1:] > 0.95, axis=(1, 2)))


def _coverage(runs: int) -> Iterator[Row]:
    rates = np.tile([0.05, 0.055], (50, 1))
    cells = play(rates, 200, runs, np.random.default_rng(11))
    loser, n = adaptive_mean(cells.arm(0)), cells.arm(0).n.sum(axis=-1)
    plain = cells.arm(0).r.sum(axis=-1) / n
    reach = 1.96 * np.sqrt(plain * (1 - plain) / n)
    naive = float(np.mean(np.abs(plain - 0.05) < reach))
    found = float(np.mean((loser.low < 0.05) & (loser.high > 0.05)))
    note = f"{runs} runs of 50 batches of 200, 5.0 % against 5.5 %; the naive interval: {naive:.1%}"
    yield at_least("coverage of the losing arm's 95 % interval", "share", found, 0.94, note)
    yield at_most("the same, not too wide", "share", found, 0.96)
    ratio = Contrast.of(cells.arm(1), cells.arm(0), propensities=True).total().ratio()
    found = float(np.mean((ratio.low < 1.1) & (ratio.high > 1.1)))
    yield at_least("coverage of the lift's 95 % interval, same runs", "share", found, 0.94)


def _ratio(runs: int) -> Iterator[Row]:
    base = np.linspace(0.02, 0.10, 50)
    rates = np.stack([base, 1.05 * base], axis=1)
    cells = play(rates, 2_000, runs, np.random.default_rng(7))
    pair = cells.arm(1), cells.arm(0)
    found = float(np.median(Contrast.of(*pair, propensities=True).total().ratio().value))
    pooled, weighted = (float(np.nanmedian(each(*pair))) for each in (pooled_ratio, weighted_ratio))
    note = (
        f"{runs} runs of 50 batches of 2,000, base rate 2 % to 10 %, true ratio 1.05: median "
        f"{found:.3f}; by propensities {weighted:.3f}, pooled {pooled:.2f}"
    )
    yield at_most(
        "MH ratio, distance of its median from 1.05", "ratio", abs(found - 1.05), 0.01, note
    )


def _refreshes(runs: int) -> Iterator[Row]:
    """Shares that follow outcomes within each hour, in which the base rate rises."""
    rates = np.tile(np.linspace(0.02, 0.10, 10), 50)[:, None] * np.array([1.0, 1.1])
    cells = merged(play(rates, 100, runs, np.random.default_rng(8)), 10)
    pair = cells.arm(1), cells.arm(0)
    ratio = Contrast.of(*pair, propensities=True).total().ratio()
    median, plain = (
        float(np.median(each)) for each in (ratio.value, Contrast.of(*pair).total().ratio().value)
    )
    what = "10 refreshes an hour, the rate rising in it"
    note = (
        f"{runs} runs of 50 hours of 10 batches of 100, 2 % to 10 % in each hour, true ratio 1.10: "
        f"median {median:.3f}; by plain means of an hour {plain:.3f}"
    )
    yield at_most(f"{what}: distance of the median", "ratio", abs(median - 1.1), 0.01, note)
    found = float(np.mean((ratio.low < 1.1) & (ratio.high > 1.1)))
    yield at_least(f"{what}: coverage", "share", found, 0.94)
    alike, flags = np.full((1_000, 2), 0.05), []
    for seed in range(max(runs // 500, 1)):
        cells = play(alike, 50, min(runs, 500), np.random.default_rng(seed))
        flags.append(winners(merged(cells, 10)))
    rate = float(np.mean(np.concatenate(flags)))
    yield at_most("false winners A/A, 10 refreshes an hour, 100 looks", "share", rate, 0.05)


def _deconfounded(runs: int) -> Iterator[Row]:
    days = np.arange(60)
    for name, base in {
        "standing still": np.full(60, 0.05),
        "in steps of 2 and 8 %": np.where(days // 10 % 2, 0.08, 0.02),
    }.items():
        rates = np.stack([base, 1.1 * base, base], axis=1)
        regret = []
        for deconfounded in (False, True):
            dice = np.random.default_rng(4)
            cells = play(rates, 1_000, runs, dice, deconfounded=deconfounded)
            lost = (rates.max(axis=1, keepdims=True) - rates) * cells.n
            regret.append(float(lost.sum(axis=(1, 2)).mean()))
        yield Row(
            f"regret of deconfounded Thompson, base rate {name}",
            "reward",
            regret[1],
            "plain",
            regret[0],
            note=f"{runs} runs, 60 batches of 1,000, three arms, one of them 10 % better",
        )


def _returning(runs: int) -> Iterator[Row]:
    """Units with ten trials in 48 hours, each of the same arm while shares allow."""
    base = np.linspace(0.05, 0.30, 48)
    rates = np.stack([base, 1.1 * base], axis=1)
    for name, alike in (("are alike to 0.1", 0.1), ("are not alike", 0.0)):
        for policy, floor in (("even shares", None), ("Thompson", 0.01)):
            dice, right = np.random.default_rng(5), []
            for _ in range(runs // 100):
                world = Returning(4_800, 10 / 48, alike)
                cells, hourly = play_returning(rates, world, 100, dice, floor=floor)
                total = Contrast.of(cells.arm(1), cells.arm(0), propensities=True).total()
                whole = Cells(*(each.sum(axis=1) for each in hourly))
                once, _ = factors(total, (whole.arm(1), whole.arm(0)), 1.0)
                found = total.ratio(), total.ratio(dispersion=once)
                right.append([(each.low < 1.1) & (each.high > 1.1) for each in found])
            plain, held = np.concatenate(right, axis=1).mean(axis=1).tolist()
            note = f"{runs} runs, base rate 5 % to 30 %, {policy}; without groups {plain:.1%}"
            what = f"coverage of the lift where units return and {name}, {policy}"
            yield at_least(what, "share", held, 0.94, note)
    yield _returning_winners(runs // 2)


def _returning_winners(runs: int) -> Row:
    rates, dice, false = np.full((HOURS, 2), 0.05), np.random.default_rng(9), []
    for _ in range(runs // 20):
        cells, hourly = play_returning(rates, Returning(2_000, 0.1, 0.1), 20, dice)
        by_then = Cells(*(np.cumsum(each, axis=1) for each in hourly))
        so_far = Contrast.of(cells.arm(1), cells.arm(0), propensities=True).so_far()
        _, always = factors(so_far, (by_then.arm(1), by_then.arm(0)), 1.0)
        false.append([winners(cells), winners(cells, always)])
    plain, found = np.concatenate(false, axis=1).mean(axis=1).tolist()
    note = f"{runs} runs of 336 hours, each unit every tenth hour; without groups {plain:.1%}"
    return at_most("false winners A/A where units return", "share", found, 0.05, note)
