"""librdkafka's options for Kafka's Java client: every name that we take has its counterpart."""

import pytest

from croupier.adapters.spark.java import java_options


def test_a_name_and_a_password_become_a_login_module() -> None:
    found = java_options(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": "shop",
            "sasl.password": 'a"b\\c',
        }
    )
    assert found["kafka.security.protocol"] == "SASL_SSL"
    assert found["kafka.sasl.jaas.config"] == (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="shop" password="a\\"b\\\\c";'
    )


def test_certificates_are_pem() -> None:
    assert java_options({"ssl.ca.location": "ca.pem", "ssl.key.pem": "KEY"}) == {
        "kafka.ssl.truststore.location": "ca.pem",
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.keystore.key": "KEY",
        "kafka.ssl.keystore.type": "PEM",
    }


@pytest.mark.parametrize(("ours", "java"), [("none", ""), ("https", "https")])
def test_java_spells_no_check_of_host_names_as_nothing(ours: str, java: str) -> None:
    key = "ssl.endpoint.identification.algorithm"
    assert java_options({key: ours}) == {f"kafka.{key}": java}


def test_what_has_no_counterpart_is_refused() -> None:
    with pytest.raises(ValueError, match="has no counterpart that is known"):
        java_options({"enable.ssl.certificate.verification": "false"})
