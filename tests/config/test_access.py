"""Keys, origins, proxies and rates of croupier.toml: read, or refused by file, key and reason."""

import pytest

from croupier.config.errors import ConfigError
from croupier.config.settings import parse_settings, with_environment
from croupier.core.api_key import digest_of
from tests.apps.guarded import api_key
from tests.apps.house import SINGLE

GOOD = api_key("web", "k", "decide")


def test_what_is_said_is_what_is_meant() -> None:
    more = 'expires = 2027-01-31T12:00:00+01:00\nexperiments = ["top-button"]'
    (key,) = parse_settings(SINGLE + api_key("web", "k", "decide", "ingest", more=more)).api_keys
    assert (key.expires, key.experiments) == (1_801_393_200_000, ("top-button",))
    (key,) = parse_settings(
        SINGLE + api_key("w", "k", "admin", more="expires = 1970-01-02")
    ).api_keys
    assert key.expires == 86_400_000


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        (GOOD + GOOD, "api_key: two keys have the same name"),
        (GOOD + GOOD.replace("web", "two"), "api_key: two keys have the same digest"),
        (GOOD.replace("web", "a b"), 'api_key "a b": name: expected 1 to 64 letters'),
        (GOOD.replace("web", "config"), 'api_key "config": name'),
        (GOOD.replace("['decide']", "[]"), 'api_key "web": scopes: expected some of'),
        (GOOD.replace("decide", "decided"), 'api_key "web": scopes: '),
        (GOOD.replace("sha256:", "md5:"), 'api_key "web": digest: expected "sha256:"'),
        (GOOD + "expires = 7", 'api_key "web": expires: expected a date'),
        (GOOD + 'experiments = ["x"]', "api_key \"web\": experiments: 'x' is not declared"),
        (GOOD + "scope = 7", 'api_key "web": scope: unknown key (did you mean scopes?)'),
        ("[api_key]\n", "api_key: write [[api_key]], with two brackets"),
        ('[limits]\ndecide = "fast"', "limits: decide: expected a rate such as"),
        ('[limits]\nevents = "5/0s"', "limits: events: "),
        ('[server]\ncors = ["shop.example"]', "server: cors: expected such as"),
        ('[server]\ncors = ["https://shop.example/"]', "server: cors: expected such as"),
        ('[server]\ntrusted_proxies = ["10.0.0.1/8"]', "server: trusted_proxies: 10.0.0.1/8"),
        ('[server]\nrequest_timeout = "10ms"', "server: request_timeout: expected at least 1s"),
    ],
)
def test_what_cannot_be_is_refused(toml: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_settings(f"{SINGLE}\n{toml}")
    assert f"croupier.toml: {reason}" in str(refused.value)


def test_keys_may_come_from_the_environment_as_digests() -> None:
    settings = parse_settings(SINGLE + GOOD)
    said = {"CROUPIER_API_KEYS": f"ops:admin:{digest_of('a')}, two:ingest+decide:{digest_of('b')}"}
    names = [(key.name, key.scopes) for key in with_environment(settings, said).api_keys]
    assert names == [("web", ("decide",)), ("ops", ("admin",)), ("two", ("decide", "ingest"))]
    for wrong in ("x", "ops:admin", f"ops:root:{digest_of('a')}", f"web:admin:{digest_of('a')}"):
        with pytest.raises(ConfigError, match="CROUPIER_API_KEYS"):
            with_environment(settings, {"CROUPIER_API_KEYS": wrong})
