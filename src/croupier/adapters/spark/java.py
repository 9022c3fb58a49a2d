"""librdkafka's options as Kafka's Java client has them."""

from collections.abc import Mapping

_NAMES = {
    "security.protocol": "security.protocol",
    "sasl.mechanism": "sasl.mechanism",
    "sasl.mechanisms": "sasl.mechanism",
    "client.id": "client.id",
    "ssl.ca.location": "ssl.truststore.location",
    "ssl.ca.pem": "ssl.truststore.certificates",
    "ssl.certificate.pem": "ssl.keystore.certificate.chain",
    "ssl.key.pem": "ssl.keystore.key",
    "ssl.key.password": "ssl.key.password",
}
_CHECK = "ssl.endpoint.identification.algorithm"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_LOGIN = {"sasl.username", "sasl.password"}


def java_options(options: Mapping[str, str]) -> dict[str, str]:
    """The options for Spark's connector; ValueError for one whose counterpart is not known.

    >>> java_options({"sasl.mechanisms": "PLAIN"})
    {'kafka.sasl.mechanism': 'PLAIN'}
    """
    found: dict[str, str] = {}
    for key, value in options.items():
        if key == _CHECK:
            found[key] = "" if value == "none" else value
        elif key in _NAMES:
            found[_NAMES[key]] = value
        elif key not in _LOGIN:
            raise ValueError(f"{key} has no counterpart that is known in Kafka's Java client")
    for store in ("truststore", "keystore"):
        if any(key.startswith(f"ssl.{store}.") for key in found):
            found[f"ssl.{store}.type"] = "PEM"
    if "sasl.username" in options:
        found["sasl.jaas.config"] = _jaas(found.get("sasl.mechanism", "PLAIN"), options)
    return {f"kafka.{key}": value for key, value in found.items()}


def _jaas(mechanism: str, options: Mapping[str, str]) -> str:
    module = _SCRAM if mechanism.upper().startswith("SCRAM") else _PLAIN
    user, password = (
        options.get(key, "").replace("\\", "\\\\").replace('"', '\\"')
        for key in ("sasl.username", "sasl.password")
    )
    return f'{module} required username="{user}" password="{password}";'
