"""A Kafka behind TLS and a password: the log's address serves librdkafka and Spark's Java alike."""

import threading

import pytest

from croupier.config.services import Services, open_log, open_stores
from croupier.config.spark import SparkSettings
from croupier.ports import EVENTS, UnavailableError, UnusableError
from croupier.runners.spark.process import run_folding
from tests.laws.test_chain import text
from tests.services.fixtures import Running
from tests.services.secure import SecureKafka
from tests.spark.tale import TICK, funnels_on, read_back, tell_on

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def secure(running: Running) -> SecureKafka:
    one = running(SecureKafka)
    assert isinstance(one, SecureKafka)
    return one


def test_joined_behind_tls(services: Services, spark: SparkSettings, secure: SecureKafka) -> None:
    services = services._replace(log=secure.log("shop"))
    stores = open_stores(services)
    tale = read_back(stores.log, tell_on(stores.log, seed=4, decisions=60, seconds=1))
    run_folding("join", services, spark, threading.Event(), recover=False)
    assert funnels_on(stores) == {text(funnel) for _, funnel in tale.told.funnels}
    stores.close()


def test_a_wrong_password_is_refused(secure: SecureKafka) -> None:
    with pytest.raises((UnavailableError, UnusableError)):
        open_log(secure.log("shop", **{"sasl.password": "wrong", "patience": "3"})).append(
            EVENTS, [TICK]
        ).result()
