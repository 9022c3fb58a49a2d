"""Refresh: the weights of 1,000 arms, how exact they are, and a whole publication."""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np
from scipy import special

from benchmarks.measure import cpu_micros
from benchmarks.report import Row, at_most
from benchmarks.table import toml
from croupier.config.settings import parse_settings
from croupier.core.arms.best import best_beta, best_student
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import ArmTable
from croupier.core.declarations import Declarations
from croupier.core.duration import HOUR
from croupier.core.publish import publish
from croupier.core.reward import MICRO

ARMS, SLOTS, PERIODS = 1_000, 12, 720
Shares = Callable[[], FloatArray]
Quadrature = Callable[[], FloatArray]


def rows(*, quick: bool) -> Iterator[Row]:
    scenes = dict(_scenes(np.random.default_rng(5)))
    times = cpu_micros({name: ours for name, (ours, _) in scenes.items()}, 3 if quick else 9)
    for name, (ours, reference) in scenes.items():
        shares, exact = ours(), reference()
        yield at_most(f"weights, {ARMS:,} arms, {name}", "ms CPU", times[name] / 1e3, 20.0)
        yield at_most(f"  |sum − 1|, {name}", "", abs(float(shares.sum()) - 1.0), 1e-9)
        error = float(np.abs(shares - exact).max())
        yield at_most(f"  max error against another quadrature, {name}", "", error, 1e-6)
    yield from _publications(90 if quick else PERIODS, 3 if quick else 9)
    yield from _bags(3 if quick else 9)


def _scenes(dice: np.random.Generator) -> Iterator[tuple[str, tuple[Shares, Quadrature]]]:
    rate = dice.uniform(0.05, 0.15, ARMS)
    for name, tries in (
        ("Beta, hardly tried", dice.integers(0, 4, ARMS).astype(float)),
        ("Beta, alike", dice.integers(50, 150, ARMS).astype(float)),
        ("Beta, widths mixed", 10.0 ** dice.uniform(0.0, 6.0, ARMS)),
    ):
        wins = np.floor(tries * rate)
        a, b = 1.0 + wins, 1.0 + np.floor(tries) - wins
        yield name, (partial(best_beta, a, b), partial(_beta_reference, a, b))
    for name, tries in (
        ("Normal, alike", dice.integers(50, 150, ARMS).astype(float)),
        ("Normal, widths mixed", 10.0 ** dice.uniform(0.5, 6.0, ARMS)),
    ):
        location = dice.normal(1.0, 0.05, ARMS)
        scale, df = np.sqrt(0.25 / tries), 2.0 + tries
        yield (
            name,
            (
                partial(best_student, location, scale, df),
                partial(_student_reference, location, scale, df),
            ),
        )


def _publications(periods: int, rounds: int) -> Iterator[Row]:
    now = int(time.time() * 1000) // HOUR * HOUR
    table, dice = ArmTable(), random.Random(9)
    for period in range(periods):
        for arm in range(ARMS):
            wins, tries = dice.randint(0, 1), dice.randint(1, 5)
            table.add(now - period * HOUR, arm, Sums(tries, wins * MICRO, wins * MICRO * MICRO))
    for what, policy in (
        ("undiscounted", '{ kind = "thompson" }'),
        ("half-life 7 d", '{ kind = "thompson", half_life = "7d" }'),
    ):
        book = Declarations()
        spec = parse_settings(f"{toml('many', ARMS)}policy = {policy}").experiments[0]
        for record in book.changes(spec, now):
            book.apply(record)
        latest, arms = book.latest("many"), book.arms("many")

        def again(latest: object = latest, arms: object = arms) -> object:
            table.add(now, 3, Sums(1, MICRO, MICRO * MICRO))
            return publish(latest, arms, {0: table}, 2, now, now)  # type: ignore[arg-type]

        again()
        micros = cpu_micros({what: again}, rounds)[what]
        yield at_most(
            f"publish, {ARMS:,} arms × {periods} periods, {what}", "ms CPU", micros / 1e3, 20
        )


def _bags(rounds: int) -> Iterator[Row]:
    """Publications of slates: sums → posteriors → rankings → shares, packed."""
    now, dice = int(time.time() * 1000) // HOUR * HOUR, random.Random(9)
    for tried in ("50 to 150 times", "1 to 1,000,000 times"):
        tables = {slot: ArmTable() for slot in range(SLOTS)}
        for slot, arm in product(range(SLOTS), range(ARMS)):
            most = dice.uniform(0.0, 6.0)
            tries = dice.randint(50, 150) if tried.startswith("50") else round(10.0**most)
            wins = round(tries * dice.uniform(0.05, 0.15))
            tables[slot].add(now, arm, Sums(tries, wins * MICRO, wins * MICRO * MICRO))
        for ranking in ("pooled", "slots"):
            book = Declarations()
            spec = parse_settings(toml("many", ARMS, slots=SLOTS, ranking=ranking)).experiments[0]
            for record in book.changes(spec, now):
                book.apply(record)
            again = partial(publish, book.latest("many"), book.arms("many"), tables, 2, now, now)
            micros = cpu_micros({ranking: again}, rounds)[ranking]
            what = f"publish, {ARMS:,} arms × {SLOTS} slots, {ranking}, {tried}"
            yield at_most(what, "ms CPU", micros / 1e3, 1_000)


def _beta_reference(a: FloatArray, b: FloatArray) -> FloatArray:
    """∫ f_i Π F_j on the axis log(x / (1 - x)), with F from scipy's incomplete beta function."""
    centre, scale = np.log(a / b), np.sqrt(1.0 / a + 1.0 / b)
    low = special.logit(np.maximum(special.betaincinv(a, b, 1e-14), 1e-300)).max()
    high = -special.logit(np.maximum(special.betaincinv(b, a, 1e-16), 1e-300)).min()
    x, weight = _nodes(centre, scale, float(low), float(high))
    p, q = special.expit(x), special.expit(-x)
    log_density = np.multiply.outer(a, np.log(p)) + np.multiply.outer(b, np.log(q))
    density = np.exp(log_density - special.betaln(a, b)[:, None])
    return _integrate(density, special.betainc(a[:, None], b[:, None], p), weight)


def _student_reference(location: FloatArray, scale: FloatArray, df: FloatArray) -> FloatArray:
    """The same for location + scale · t(df), with F from scipy's Student distribution."""
    low = (location + scale * special.stdtrit(df, 1e-14)).max()
    high = (location - scale * special.stdtrit(df, 1e-16)).max()
    x, weight = _nodes(location, scale, float(low), float(high))
    t = (x - location[:, None]) / scale[:, None]
    half = df / 2.0
    c = special.gammaln(half + 0.5) - special.gammaln(half) - 0.5 * np.log(np.pi * df)
    power = (half + 0.5)[:, None] * np.log1p(t * t / df[:, None])
    density = np.exp(c[:, None] - power) / scale[:, None]
    return _integrate(density, special.stdtr(df[:, None], t), weight)


def _nodes(
    centre: FloatArray, scale: FloatArray, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes on panels of at most half a scale of whichever arm is near."""
    position, weight = np.polynomial.legendre.leggauss(16)
    edges = [low]
    while edges[-1] < high:
        step = 0.5 * np.sqrt(scale**2 + ((edges[-1] - centre) / 6.0) ** 2).min()
        edges.append(min(edges[-1] + float(step), high))
    left, width = np.array(edges[:-1])[:, None], np.diff(edges)[:, None]
    return (left + width * (position + 1.0) / 2.0).ravel(), (width * weight / 2.0).ravel()


def _integrate(density: FloatArray, below: FloatArray, weight: FloatArray) -> FloatArray:
    log_below = np.log(np.maximum(below, 1e-300))
    others = np.exp(log_below.sum(axis=0) - log_below)
    return np.asarray((density * others) @ weight)
