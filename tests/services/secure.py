"""A Kafka that asks for a name, a password and a certificate, over TLS; it makes its own."""

import subprocess
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from tests.services.servers import Kafka
from tests.services.service import ServiceError, binary, connects

USER, PASSWORD = "shop", 'p;a ss=w\\or"d'
_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SECURE = """\
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={jaas}
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
ssl.client.auth=required
"""


class SecureKafka(Kafka):
    """One listener for clients, SASL_SSL with PLAIN; one certificate for broker and clients."""

    name = "secure-kafka"

    @property
    def options(self) -> dict[str, str]:
        """What a client has to say, in librdkafka's words."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.folder / "ca.pem"),
            "ssl.certificate.location": str(self.folder / "ca.pem"),
            "ssl.key.location": str(self.folder / "key.pem"),
        }

    def log(self, name: str, **other: str) -> str:
        """The address of a log."""
        return f"{self.url}/{name}?{urlencode({'partitions': '2'} | self.options | other)}"

    def prepare(self) -> None:
        key, certificate = self.folder / "key.pem", self.folder / "ca.pem"
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        made = subprocess.run(
            [binary("openssl", "openssl"), *words, "-keyout", str(key), "-out", str(certificate)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ServiceError(f"secure-kafka: no certificate: {made.stderr[-500:]}")
        (self.folder / "broker.pem").write_text(key.read_text() + certificate.read_text())
        super().prepare()

    @property
    def properties(self) -> str:
        password = _quoted(PASSWORD)
        jaas = f'{_MODULE} required username="broker" password="b" user_broker="b" '
        jaas += f'user_{USER}="{password}";'
        secure = _SECURE.format(folder=self.folder, jaas=jaas.replace("\\", "\\\\"))
        plain = super().properties
        plain = plain.replace(",PLAINTEXT:PLAINTEXT", ",SASL_SSL:SASL_SSL")
        return plain.replace("PLAINTEXT://127.0.0.1", "SASL_SSL://127.0.0.1") + secure

    def answers(self) -> bool:
        if not connects(self.port):
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        address: dict[str, Any] = {"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": 0}
        with suppress(KafkaException):
            return bool(AdminClient({**address, **self.options}).list_topics(timeout=5).brokers)
        return False


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
