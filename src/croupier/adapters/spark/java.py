"""librdkafka's options as Kafka's Java client has them."""

from collections.abc import Mapping

_SAME = {
    "security.protocol",
    "sasl.mechanism",
    "client.id",
    "ssl.endpoint.identification.algorithm",
}
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
        if key in _SAME:
            found[key] = value
        elif key == "sasl.mechanisms":
            found["sasl.mechanism"] = value
        elif key == "ssl.ca.location":
            found |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": value}
        elif key not in _LOGIN:
            raise ValueError(f"{key} has no counterpart that is known in Kafka's Java client")
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
