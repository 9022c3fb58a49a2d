"""[[source]]: what is wrong is named by file, key and reason."""

import pytest

from croupier.config.errors import ConfigError
from croupier.config.settings import parse_settings
from croupier.config.sources import open_topic
from croupier.core.sources.declared import Source

EXPERIMENT = """
[[experiment]]
name = "b"
arms = ["x", "y"]
default = "x"
reward = { click = 1.0 }
"""
LEAST = '[[source]]\nname = "orders"\ntopic = "shop.orders"\nkind = "click"\n'
DECISION = """[source.decision]
experiment = "b"
tracking_id = "a"
decided_at = "t"
unit = "u"
slate = "s"
propensities = "p"
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        parse_settings(EXPERIMENT + text, "c.toml")
    return error.value.problems


def test_the_least_that_a_source_says() -> None:
    found = parse_settings(EXPERIMENT + LEAST + 'token = "token"').sources
    assert found == (Source("orders", "shop.orders", "click", token="token"),)
    stated = parse_settings(EXPERIMENT + LEAST + DECISION).sources[0].decision
    assert stated is not None
    assert stated.slate == "s"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LEAST, 'source "orders": token: either token or [source.decision] says which'),
        (LEAST + 'token = "a"\n' + DECISION, 'source "orders": token: either token or'),
        (LEAST + 'tokn = "a"', 'source "orders": tokn: unknown key (did you mean token?)'),
        (LEAST + 'token = "a..b"', 'source "orders": token: a path has names between its dots'),
        (LEAST + "token = []", 'source "orders": token: a path has names between its dots'),
        (LEAST + 'token = ""', 'source "orders": token: a path has names between its dots'),
        (LEAST + "token = 5", 'source "orders": token: expected'),
        (LEAST + 'token = ".t"', 'source "orders": token: a path that begins with a dot'),
        (LEAST + 'token = "t"\neach = ".x"', 'source "orders": each: a path that begins'),
        (LEAST + 'token = "t"\nwhere = { "a..b" = 1 }', 'source "orders": where.a..b: a path'),
        (LEAST + 'token = "t"\nbegin = "now"', 'source "orders": begin: expected earliest or'),
        (LEAST + 'token = "t"\ndead = "shop.orders"', 'source "orders": dead: the dead letters'),
        (LEAST + 'token = "t"\ndead = "a b"', 'source "orders": dead: expected the name of a'),
        (LEAST + 'token = "t"\narm = "a"\nslot = "s"', 'source "orders": slot: arm says it'),
        (LEAST + 'token = "t"\nkafka = "http://x"', 'source "orders": kafka: expected kafka://'),
        (LEAST + 'token = "t"\ntime = { field = "t", unit = "h" }', 'source "orders": time: '),
        (LEAST + 'token = "t"\ntime = { feild = "t" }', 'source "orders": time: '),
        (LEAST + 'token = "t"\n' + LEAST + 'token = "t"', 'source "orders": name: used twice'),
        (LEAST.replace('"click"', '"a b"') + 'token = "t"', 'source "orders": kind: expected 1'),
        (LEAST.replace('"click"', '{ field = "k", map = { a = "b c" } }') + 'token = "t"',
         'source "orders": kind: expected 1'),
        (LEAST.replace("shop.orders", "shop orders") + 'token = "t"', 'source "orders": topic: '),
        (LEAST + DECISION.replace('"b"', '"c"'), "decision.experiment: 'c' is not declared"),
        (LEAST + DECISION.replace("unit", "unti"), "decision: unti: unknown key (did you mean"),
        (LEAST + DECISION.replace('slate = "s"\n', ""), "decision: slate: missing"),
        (LEAST + "decision = 5", 'source "orders": decision: expected a table'),
        ('[source]\nname = "x"', "source: write [[source]], with two brackets"),
        ("[[source]]", "source 1 (no name): name: missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    assert any(f"c.toml: {problem}" in one or problem in one for one in problems(text))


def test_the_address_of_a_cluster_may_come_from_the_environment() -> None:
    source = Source("orders", "shop.orders", "click", token="t", kafka="$SHOP_KAFKA")
    with pytest.raises(ConfigError, match=r'source "orders": kafka: \$SHOP_KAFKA is not set'):
        open_topic(source, "kafka://127.0.0.1:1/croupier", {})
    with pytest.raises(ConfigError, match=r'source "orders": kafka: http://…: expected kafka://'):
        open_topic(source, "kafka://127.0.0.1:1/croupier", {"SHOP_KAFKA": "http://x"})
    open_topic(source, "no log", {"SHOP_KAFKA": "kafka://127.0.0.1:1"}).close()
