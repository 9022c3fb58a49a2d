"""URLs → the backends of the distributed ring."""

import subprocess
import sys

import pytest

from croupier.config.errors import ConfigError
from croupier.config.services import Services, open_cache, open_log, open_reading, open_stores
from croupier.ports import UnusableError

WRONG = {
    "kafka:///prefix": r"log: kafka://…: expected kafka://host:port/…",
    "sqlite:///file": r"log: sqlite://…: expected kafka://",
    "file": r"log: no URL: expected kafka://",
    "kafka://h:1/p?partition=3": "log: 'partition': expected one of partitions, patience",
    "kafka://h:1/p?partitions=0": "log: partitions=0: expected a whole number of 1 or more",
    "kafka://h:1/p?partitions=x": "log: partitions=x: expected a whole number",
    "kafka://me:secret@h:1/p": "log: kafka:// takes no user",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_address_of_a_log_is_refused_with_its_reason(url: str) -> None:
    with pytest.raises(ConfigError, match=WRONG[url]):
        open_log(url)


def test_a_refusal_shows_no_password() -> None:
    services = Services("kafka://h:1", "mysql://me:secret@h/db", "redis://h")
    with pytest.raises(ConfigError, match="states: mysql://…: expected postgresql://") as refused:
        open_stores(services)
    assert "secret" not in str(refused.value)
    with pytest.raises(ConfigError, match="cache: http://…: expected redis://"):
        open_cache("http://me:secret@h")


@pytest.mark.parametrize(
    ("module", "extra", "call"),
    [
        ("confluent_kafka", "kafka", "open_log('kafka://h:1/p')"),
        ("redis", "redis", "open_cache('redis://h')"),
        ("psycopg", "postgres", "open_stores(Services('', 'postgresql://h', ''))"),
    ],
)
def test_a_missing_extra_is_named(module: str, extra: str, call: str) -> None:
    code = (
        f"import sys; sys.modules['{module}'] = None\n"
        "from croupier.config.services import *\n"
        f"from croupier.config.errors import ConfigError\n"
        f"try: {call}\nexcept ConfigError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"pip install 'croupier[{extra}]'" in ran.stdout, ran.stderr


@pytest.mark.services
def test_who_looks_writes_nothing_and_waits_for_nobody(services: Services) -> None:
    with pytest.raises(UnusableError, match=r"kafka topic .*: .*nknown topic"):
        open_reading(services.log)
    stores = open_stores(services)
    stores.log.append("arms", [b"one"]).result()
    for states in ("", services.states):
        found = open_reading(services.log, states)
        assert found.log.ends("arms") == {0: 1}
        assert found.states.load().positions == {}
        assert found.cache.latest("nothing") is None
        found.close()
    stores.close()
