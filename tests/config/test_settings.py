"""croupier.toml: what is accepted, and that all else is refused with file, key and reason."""

from pathlib import Path

import pytest

from croupier.config.errors import ConfigError
from croupier.config.settings import load_settings, parse_settings
from croupier.core.arms.prior import Prior
from croupier.core.diversity import Diversity
from croupier.core.duration import DAY, MINUTE, SECOND
from croupier.core.experiment import Experiment
from croupier.core.policies.decaying_epsilon import DecayingEpsilon
from croupier.core.policies.epsilon_greedy import EpsilonGreedy
from croupier.core.policies.kl_ucb import KLUCB
from croupier.core.policies.thompson import Thompson
from croupier.core.policies.ucb1 import UCB1
from croupier.core.policies.uniform import Uniform
from croupier.core.reward import Reward, Term

LEAST = """
[[experiment]]
name = "top-button"
arms = ["install", "free-trial", "see-recipes"]
default = "install"
"""
REWARD = "reward = { click = 1.0 }\n"
USUAL = (
    LEAST
    + REWARD
    + """
slots = 1
policy = { kind = "thompson", floor = 0.01 }
expose_within = "5m"
window = "15m"
lateness = "1m"
session = "15m"
refresh = "10s"
sticky = "session"
holdout = 0.0
surface = "top-page"
"""
)
ARMS = ("install", "free-trial", "see-recipes")
CLICK = Reward({"click": Term(1.0)})


def the_one(text: str) -> Experiment:
    (experiment,) = parse_settings(text).experiments
    return experiment


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        parse_settings(text, "shop.toml")
    assert all("\n" not in problem for problem in raised.value.problems)
    return raised.value.problems


# --- what is accepted -----------------------------------------------------------------------------


def test_the_example_of_the_design_means_what_it_says() -> None:
    assert the_one(USUAL) == Experiment(
        name="top-button",
        arms=ARMS,
        default="install",
        reward=CLICK,
        slots=1,
        policy=Thompson(floor=0.01),
        expose_within=5 * MINUTE,
        window=15 * MINUTE,
        lateness=MINUTE,
        session=15 * MINUTE,
        refresh=10 * SECOND,
        sticky="session",
        holdout=0.0,
        surface="top-page",
    )


def test_all_else_has_a_default_and_it_is_the_example() -> None:
    least, usual = the_one(LEAST + REWARD), the_one(USUAL)
    for field in Experiment.__struct_fields__:
        if field not in {"policy", "surface"}:
            assert getattr(least, field) == getattr(usual, field), field
    assert (
        least.policy.kind if hasattr(least.policy, "kind") else isinstance(least.policy, Thompson)
    )
    assert least.policy.asked_floor(3) == pytest.approx(0.01)
    assert least.policy.asked_floor(50) == pytest.approx(0.1 / 50)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('session = "none"', "session", None),
        ('session = "1h30m"', "session", 90 * MINUTE),
        ('window = "90s"', "window", 90 * SECOND),
        ('window = "0.5s"', "window", 500),
        ('window = "250ms"', "window", 250),
        ('window = "1w 2d"', "window", 9 * DAY),
        ('lateness = "0s"', "lateness", 0),
        ('sticky = "unit"', "sticky", "unit"),
        ('sticky = "decision"', "sticky", "decision"),
        ("holdout = 0.05", "holdout", 0.05),
        ("holdout = 0", "holdout", 0.0),
        ('policy = { kind = "uniform" }', "policy", Uniform()),
        ('policy = { kind = "epsilon_greedy" }', "policy", EpsilonGreedy()),
        (
            'policy = { kind = "epsilon_greedy", epsilon = 0.5 }',
            "policy",
            EpsilonGreedy(epsilon=0.5),
        ),
        ('policy = { kind = "thompson", floor = 0 }', "policy", Thompson(floor=0.0)),
        ('policy = { kind = "thompson", half_life = "7d" }', "policy", Thompson(half_life=7 * DAY)),
        (
            'policy = { kind = "thompson", sliding_window = "4w" }',
            "policy",
            Thompson(sliding_window=28 * DAY),
        ),
        (
            'session = "none"\nwindow = "1h"\npolicy = { kind = "ucb1", delay_corrected = true }',
            "policy",
            UCB1(delay_corrected=True),
        ),
        (
            'policy = { kind = "decaying_epsilon", explore = 200 }',
            "policy",
            DecayingEpsilon(explore=200.0),
        ),
        ('policy = { kind = "ucb1", alpha = 0.5 }', "policy", UCB1(alpha=0.5)),
        ('policy = { kind = "kl_ucb", c = 3 }', "policy", KLUCB(c=3.0)),
        ('posterior = "count"', "posterior", "count"),
        ('prior = "auto"', "prior", None),
        ("prior = { mean = 0.02, trials = 50 }", "prior", Prior(0.02, 50.0)),
        (
            'posterior = "normal"\nprior = { mean = 0, trials = 1, deviation = 0.2 }',
            "prior",
            Prior(0.0, 1.0, 0.2),
        ),
    ],
)
def test_a_key_means_what_it_says(line: str, field: str, value: object) -> None:
    assert getattr(the_one(LEAST + REWARD + line), field) == value


@pytest.mark.parametrize(
    ("reward", "terms"),
    [
        ("{ click = 1 }", {"click": Term(1.0)}),
        ("{ click = 1.0, enrol = 5.0 }", {"click": Term(1.0), "enrol": Term(5.0)}),
        ("{ view = { weight = 0.1, cap = 5 } }", {"view": Term(0.1, cap=5)}),
        (
            '{ buy = { weight = 0.01, of = "value", max = 500 } }',
            {"buy": Term(0.01, of="value", max=500.0)},
        ),
        ("{ click = 1.0, complaint = -3.0 }", {"click": Term(1.0), "complaint": Term(-3.0)}),
    ],
)
def test_a_reward_means_what_it_says(reward: str, terms: dict[str, Term]) -> None:
    assert the_one(f"{LEAST}reward = {reward}").reward == Reward(terms)


def test_several_experiments_keep_their_order() -> None:
    text = LEAST + REWARD + (LEAST + REWARD).replace("top-button", "banner")
    assert [one.name for one in parse_settings(text).experiments] == ["top-button", "banner"]


def test_server_and_log_have_tables_of_their_own() -> None:
    text = LEAST + REWARD + '[server]\nmax_body = 9\nmax_events = 8\nmax_skew = "7s"\n'
    found = parse_settings(text + '[log]\nretention = "30d"\n')
    assert (found.server.max_body, found.server.max_events, found.server.max_skew) == (9, 8, 7_000)
    assert found.log.retention == 30 * DAY
    assert parse_settings(LEAST + REWARD).log.retention is None
    assert parse_settings(LEAST + REWARD + '[log]\nids = "2d"\n').log.ids == 2 * DAY


def test_a_retention_of_exactly_the_longest_story_is_enough() -> None:
    assert parse_settings(USUAL + '[log]\nretention = "36m"\n').log.retention == 36 * MINUTE


def test_floors_of_exactly_half_the_traffic_are_accepted() -> None:
    two = LEAST.replace(', "see-recipes"', "") + REWARD
    assert the_one(two + 'policy = { kind = "thompson", floor = 0.25 }').policy.floor == 0.25


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "key", "reason"),
    [
        ("", "reward", "missing"),
        ("reward = {}", "reward", "at least one outcome kind is needed"),
        ('reward = "click"', "reward", "expected"),
        ('reward = ["click"]', "reward", "expected"),
        ("reward = { click = 0.0 }", "reward.click", "finite number other than 0"),
        ("reward = { click = 0.0000001 }", "reward.click", "multiple of 0.000001"),
        ("reward = { click = inf }", "reward.click", "finite number"),
        ("reward = { click = nan }", "reward.click", "finite number"),
        ("reward = { click = 1e308 }", "reward.click", "weight"),
        ("reward = { click = { weight = 1, cap = 0 } }", "reward.click", "cap must be between"),
        ("reward = { click = { weight = 1, cap = 257 } }", "reward.click", "cap must be between"),
        ("reward = { click = { weight = 1, capp = 2 } }", "reward", "capp"),
        (
            "reward = { click = { weight = 1, max = 2 } }",
            "reward.click",
            'max goes with of = "value"',
        ),
        ('reward = { buy = { weight = 1, of = "value" } }', "reward.buy", "needs max"),
        ("reward = { impression = 1 }", "reward.impression", "not a name"),
        ('reward = { "a b" = 1 }', "reward.a b", "expected 1 to 64 letters, digits"),
        ("reward = { click = true }", "reward.click", "expected"),
        ('reward = { buy = { weight = 1, of = "sum" } }', "reward.buy", "sum"),
    ],
)
def test_a_reward_that_cannot_be_is_refused(lines: str, key: str, reason: str) -> None:
    found = problems(LEAST + lines)
    assert all(each.startswith('shop.toml: experiment "top-button": ') for each in found)
    assert key in found[0]
    assert reason in found[0]


@pytest.mark.parametrize(
    ("line", "key", "reason"),
    [
        ('windw = "15m"', "windw", "unknown"),
        ("slots = 0", "slots", "0"),
        ("slots = 1.5", "slots", "expected `int`"),
        ('policy = "thompson"', "policy", "expected"),
        ("policy = { floor = 0.1 }", "policy", "kind"),
        ('policy = { kind = "thomson" }', "policy.kind", "'thomson'"),
        ('policy = { kind = "thompson", flor = 0.1 }', "policy", "flor"),
        ('policy = { kind = "thompson", floor = 0.17 }', "policy", "51% of the traffic"),
        ('policy = { kind = "thompson", floor = -0.1 }', "policy", "floor must be between 0 and 1"),
        ('policy = { kind = "thompson", floor = nan }', "policy", "floor must be between 0 and 1"),
        (
            'policy = { kind = "thompson", half_life = "0s" }',
            "policy",
            "half_life must be positive",
        ),
        ('policy = { kind = "epsilon_greedy", epsilon = 0.6 }', "policy", "60% of the traffic"),
        ('policy = { kind = "epsilon_greedy", floor = 0.1 }', "policy", "no floor of its own"),
        ('policy = { kind = "epsilon_greedy", epsilon = -1 }', "policy", "epsilon"),
        ('expose_within = "0s"', "expose_within", "longer than 0"),
        ("window = 15", "window", "expected a duration"),
        ('window = "15 minutes"', "window", "got '15 minutes'"),
        ('window = "-5m"', "window", "expected a duration"),
        ('window = "15M"', "window", "expected a duration"),
        ('window = ""', "window", "expected a duration"),
        ("window = true", "window", "expected a duration"),
        ('refresh = "99999999999w"', "refresh", ""),
        ('lateness = "soon"', "lateness", "got 'soon'"),
        ('refresh = "0s"', "refresh", "longer than 0"),
        ('period = "0s"', "period", "longer than 0"),
        ('session = "never"', "session", "got 'never'"),
        ('session = "never"', "session", '"none"'),
        ('session = "0s"', "session", 'longer than 0, or "none"'),
        ('sticky = "user"', "sticky", "'user'"),
        pytest.param('sticky = "user"', "sticky", "session, unit, decision"),
        ("holdout = 1.0", "holdout", "from 0 to below 1"),
        ("holdout = -0.1", "holdout", "from 0 to below 1"),
        ("holdout = nan", "holdout", "from 0 to below 1"),
        ('holdout = "5%"', "holdout", "expected `float`"),
        ("surface = 5", "surface", "expected `str`"),
        ('posterior = "gamma"', "posterior", "'gamma'"),
        ('policy = { kind = "decaying_epsilon", explore = -1 }', "policy", "explore"),
        ('policy = { kind = "decaying_epsilon", epsilon = 0.1 }', "policy", "epsilon"),
        ('policy = { kind = "ucb1", alpha = 0 }', "policy", "alpha must be above 0"),
        ('policy = { kind = "ucb1", alpha = nan }', "policy", "alpha must be above 0"),
        ('policy = { kind = "kl_ucb", c = -1 }', "policy", "c must be between"),
        (
            "prior = 0.02",
            "prior",
            'expected a table such as { mean = 0.02, trials = 50 }, or "auto"',
        ),
        ("prior = { mean = 0.02 }", "prior: trials", "missing"),
        ("prior = { mean = 0.02, trails = 5, trials = 5 }", "trails", "did you mean trials?"),
        ('prior = { mean = "2%", trials = 50 }', "prior: mean", "expected `float`"),
        ("prior = { mean = 2, trials = 50 }", "prior.mean", "what a trial can earn, 0 to 1, got 2"),
        ("prior = { mean = 0.02, trials = 0 }", "prior.trials", "expected 0.01 to 1,000,000"),
        ("prior = { mean = 0, trials = 50 }", "prior", "too little to begin with"),
        ("prior = { mean = 0.02, trials = 50, deviation = 1 }", "prior.deviation", '"beta"'),
        ("prior = { mean = nan, trials = 50 }", "prior.mean", "what a trial can earn"),
    ],
)
def test_a_key_that_cannot_be_is_refused(line: str, key: str, reason: str) -> None:
    (problem,) = problems(LEAST + REWARD + line)
    assert problem.startswith('shop.toml: experiment "top-button": ')
    assert key in problem
    assert reason in problem


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('name = "top-button"', "", "name", "missing"),
        ('name = "top-button"', "name = 5", "name", "expected `str`"),
        ('name = "top-button"', 'name = "top button"', "name", "got 'top button'"),
        ('name = "top-button"', f'name = "{"n" * 65}"', "name", "1 to 64"),
        ('default = "install"', "", "default", "missing"),
        ('default = "install"', 'default = "instal"', "default", "'instal' is not one of the arms"),
        ('"free-trial"', "1", "arms", "expected `str`"),
        ('"free-trial"', '"install"', "arms", "'install' is named twice"),
        ('"free-trial"', '""', "arms", "1 to 200 printable characters"),
        ('"free-trial"', '"a\\nb"', "arms", "1 to 200 printable characters"),
        ('"free-trial"', f'"{"a" * 201}"', "arms", "1 to 200 printable characters"),
    ],
)
def test_a_name_that_cannot_be_is_refused(old: str, new: str, key: str, reason: str) -> None:
    (problem,) = problems(LEAST.replace(old, new) + REWARD)
    assert problem.startswith("shop.toml: experiment ")
    assert key in problem
    assert reason in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "shop.toml: experiment: at least one [[experiment]] is needed"),
        ("experiment = 5", "shop.toml: experiment: write [[experiment]], with two brackets"),
        (LEAST.replace("[[experiment]]", "[experiment]") + REWARD, "with two brackets"),
        ('experiment = ["x"]', "shop.toml: experiment"),
        ("[[experiment", "shop.toml: "),
        (f"x = {'[' * 3_000}", "shop.toml: nested too deeply"),
        (LEAST + 'reward = { "cli\\nck" = 1.0 }', r"reward.cli\nck: not a name"),
        (USUAL + '[limits]\nevents = "５/s"', "limits: events: expected a rate"),
        (LEAST + REWARD + 'name = "twice"', "shop.toml: Cannot overwrite a value"),
        (LEAST + REWARD + LEAST + REWARD, "name: used twice"),
        (LEAST + REWARD + "[serve]", "shop.toml: serve: unknown key"),
        (LEAST + REWARD + "[server]\nport = 1", "shop.toml: server: "),
        (LEAST + REWARD + "[server]\nmax_skew = 5", "shop.toml: server: max_skew: "),
        ("server = 5\n" + LEAST + REWARD, "shop.toml: server: expected a table"),
        (LEAST + REWARD + "[server]\nmax_body = 0", "max_body"),
        (LEAST + REWARD + "[server]\nmax_events = -1", "max_events"),
        (LEAST + REWARD + "[log]\nretention = 7", "shop.toml: log: retention: "),
        (LEAST + REWARD + '[log]\nids = "2h"', "shop.toml: log: ids: expected at least 1d"),
        (
            USUAL + '[log]\nretention = "35m"',
            "shop.toml: log: retention: 35m is shorter than the longest story, 36m",
        ),
    ],
)
def test_a_file_that_cannot_be_is_refused(text: str, said: str) -> None:
    (problem,) = problems(text)
    assert said in problem


@pytest.mark.parametrize(
    "reward",
    [
        '{ buy = { weight = 0.01, of = "value", max = 500 } }',
        "{ play = 1.0, save = 2.0 }",
        "{ complaint = -1.0 }",
    ],
)
def test_counts_are_of_one_worth(reward: str) -> None:
    (problem,) = problems(f'{LEAST}reward = {reward}\nposterior = "count"')
    assert "counted, all of one weight above 0" in problem


@pytest.mark.parametrize(
    ("lines", "key", "reason"),
    [
        ("surrogate = 1", "surrogate", "a table of each signal, such as surrogate.click"),
        ("surrogate.click = 1", "surrogate", "a table of each signal, such as surrogate.click"),
        ("surrogate.click = { covariance = { click = 1 } }", "surrogate.click: mean", "missing"),
        ("surrogate.click = { mean = 0.1, covariance = 1 }", "surrogate.click: covariance",
         "expected a table"),
        ("surrogate.click = { mean = 0.1, covariance = { click = true } }",
         "surrogate.click: covariance: click", "expected `float`"),
        ("surrogate.click = { mean = 2, covariance = { click = 1 } }", "surrogate.click.mean",
         "expected 0 to 1, the most that the reward counts of it, got 2"),
        ("surrogate.click = { mean = -1, covariance = { click = 1 } }", "surrogate.click.mean",
         "got -1"),
        ("surrogate.click = { mean = true, covariance = { click = 1 } }",
         "surrogate.click: mean", "expected a number"),
        ("surrogate.click = { mean = 0.1, covariance = { click = 1 }, means = 1 }",
         "surrogate.click: means", "did you mean mean?"),
        ("surrogate.clic = { mean = 0.1, covariance = { clic = 1 } }", "surrogate.clic",
         "not an outcome kind of the reward"),
        ("surrogate.click = { mean = nan, covariance = { click = 1 } }", "surrogate.click.mean",
         "got nan"),
        ('posterior = "count"\nsurrogate.click = { mean = 0, covariance = { click = 1 } }',
         "surrogate", 'needs posterior = "normal"'),
    ],
)  # fmt: skip
def test_a_surrogate_that_cannot_be_is_refused(lines: str, key: str, reason: str) -> None:
    (problem,) = problems(f"{LEAST}reward = {{ click = 0.2 }}\n{lines}")
    assert problem.startswith(f'shop.toml: experiment "top-button": {key}: ')
    assert reason in problem


def test_every_problem_of_a_prior_is_named() -> None:
    found = problems(LEAST + REWARD + "prior = { mean = 7, trials = -2, deviation = 1 }")
    assert [each.split(": ")[2] for each in found] == [
        "prior.mean",
        "prior.trials",
        "prior.deviation",
    ]


def test_every_problem_is_named_at_once() -> None:
    text = LEAST.replace('default = "install"', 'default = "buy"') + REWARD
    found = problems(text + 'holdout = 2.0\nwindow = "0s"\n' + "[serve]\n" + "[log]\nkeep = 1\n")
    for word in ("default", "holdout", "window", "serve", "keep"):
        assert sum(f"{word}" in problem for problem in found) == 1, word
    assert len(found) == 5


def test_a_bad_duration_does_not_hide_the_other_problems() -> None:
    text = LEAST.replace('default = "install"', 'default = "buy"') + REWARD
    assert len(problems(text + 'window = "x"\nholdout = 2.0\nsticky = "user"\n')) == 4


def test_a_problem_is_named_once() -> None:
    assert len(problems(LEAST + REWARD + 'policy = { kind = "thompson", half_life = "x" }')) == 1


def test_a_file_is_read_from_disk_and_named(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    for content in (None, b"\xff\xfe", b""):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigError, match=f"^{file}: "):
            load_settings(file)
    with pytest.raises(ConfigError, match=f"^{tmp_path}: Is a directory$"):
        load_settings(tmp_path)
    for encoding in ("utf-8", "utf-8-sig"):  # some editors begin a file with a mark
        file.write_text(USUAL, encoding)
        assert load_settings(file).experiments[0].name == "top-button"


SLATE = LEAST.replace('default = "install"', 'default = ["install", "free-trial"]') + REWARD


def test_groups_and_how_many_of_them_are_declared() -> None:
    text = SLATE + (
        'slots = 2\ngroups = { install = "now" }\n'
        "[experiment.diversity]\nat_most = 2\nof = { now = 1 }\n"
    )
    (spec,) = parse_settings(text).experiments
    assert spec.groups == {"install": "now"}
    assert spec.diversity == Diversity(at_most=2, of={"now": 1})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("diversity = 2", "diversity: expected a table such as { at_most = 2 }"),
        ("diversity = {}", "diversity: expected at_most"),
        ("diversity = { atmost = 2 }", "diversity: atmost: unknown key (did you mean at_most?)"),
        ('diversity = { at_most = "2" }', "diversity: at_most: expected `int | null`, got `str`"),
        ("diversity = { of = { now = 1.5 } }", "diversity: of: now: expected `int`, got `float`"),
        ("diversity = { of = { now = 0 } }", "diversity.of.now: expected at least 1, got 0"),
        ("diversity = { at_most = 1 }", "diversity: no arm has a group"),
        (
            'groups = { see-recipes = "now" }\ndiversity = { of = { noww = 1 } }',
            "diversity.of.noww: no arm of the file has this group, but 'now'",
        ),
        ("guardrail = {}", "guardrail: expected a table of each, such as"),
        ("guardrail = 2", "guardrail: expected a table of each, such as"),
        (
            "guardrail = { refund = { reward = { refund = 1.0 }, margin = inf } }",
            "guardrail.refund.margin: expected a number from 0, got inf",
        ),
        (
            "guardrail = { refund = { reward = { refund = 1.0 }, margin = 1.0 } }",
            "guardrail.refund.margin: a trial can differ by 1 at most",
        ),
        ('groups = ["now"]', "groups: expected a table, got `array`"),
        ("groups = true", "groups: expected a table, got `bool`"),
        (
            'groups = { install = "now", free-trial = 1 }',
            "groups: free-trial: expected `str`, got `int`",
        ),
        ('groups = { instal = "now" }', "groups: 'instal' is not one of the arms"),
        (
            'groups = { install = "now", free-trial = "now" }\ndiversity = { at_most = 1 }',
            "default: shows 2 of group 'now', at most 1 are allowed",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused(line: str, said: str) -> None:
    (problem,) = problems(f"{SLATE}slots = 2\n{line}\n")
    assert said in problem
