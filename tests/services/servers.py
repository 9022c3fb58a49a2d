"""Redis, PostgreSQL and Kafka as this project starts them: small, on loopback."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.services.service import ROOT, Service, ServiceError, binary, connects, free_port


class Redis(Service):
    """Debian's redis-server, with its append-only file."""

    name, scheme = "redis", "redis"

    def command(self) -> list[str]:
        return [
            binary("redis-server", "redis-server"),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)),
            *("--save", "", "--appendonly", "yes", "--daemonize", "no"),
        ]

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as one:
            one.settimeout(1)
            one.sendall(b"PING\r\n")
            return one.recv(7) == b"+PONG\r\n"
        return False


class Postgres(Service):
    """Debian's PostgreSQL. It refuses to run as root: then it runs as the user `postgres`."""

    name, scheme = "postgres", "postgresql"
    end_signal = signal.SIGINT  # its "fast" shutdown: does not wait for clients to leave

    @property
    def url(self) -> str:
        return f"postgresql://croupier@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            entered = subprocess.run(
                [*_as_postgres(), "test", "-x", str(self.folder)], check=False, capture_output=True
            )
            if entered.returncode:
                raise ServiceError(
                    f"postgres: the user `postgres` may not enter {self.folder}: set "
                    "CROUPIER_SERVICES to a folder whose parents others may enter (chmod o+x)"
                )
        if (self.folder / "data" / "PG_VERSION").exists():
            return
        made = subprocess.run(
            [
                *_as_postgres(),
                _postgres("initdb"),
                *("-D", str(self.folder / "data"), "--username=croupier", "--auth=trust"),
                *("--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ServiceError(f"postgres: initdb failed: {made.stderr.strip()}")

    def command(self) -> list[str]:
        return [
            *_as_postgres(),
            _postgres("postgres"),
            *("-D", str(self.folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"),
            *("-k", "", "-c", "shared_buffers=32MB", "-c", "max_connections=50"),
        ]

    def answers(self) -> bool:
        asked = [_postgres("pg_isready"), "-q", "-t", "1", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0


def _as_postgres() -> list[str]:
    if os.geteuid():
        return []
    return [
        binary("setpriv", "util-linux"),
        "--reuid=postgres",
        "--regid=postgres",
        "--init-groups",
    ]


def _postgres(name: str) -> str:
    found = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(found, key=lambda path: int(path.parent.name), reverse=True)
    return binary(name, "postgresql", *map(str, newest))


PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
group.initial.rebalance.delay.ms=0
"""
LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""


class Kafka(Service):
    """A real broker, its own controller (KRaft), from the jars that deploy/kafka/pom.xml names."""

    name, scheme = "kafka", "kafka"

    def __init__(self, folder: Path, port: int, controller: int | None = None) -> None:
        super().__init__(folder, port)
        self._controller = controller or free_port()

    @property
    def properties(self) -> str:
        """What server.properties says."""
        return PROPERTIES.format(port=self.port, controller=self._controller, folder=self.folder)

    def prepare(self) -> None:
        file = self.folder / "server.properties"
        file.write_text(self.properties)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        if not (self.folder / "data" / "meta.properties").exists():
            identity = "Q3JvdXBpZXItdGVzdHMtMQ"  # 16 bytes in base64; one cluster a folder
            tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", identity]
            made = subprocess.run(
                [*self._java("64m"), *tool, "-c", str(file)],
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if made.returncode:
                raise ServiceError(f"kafka: format failed: {(made.stderr or made.stdout)[-500:]}")

    def command(self) -> list[str]:
        return [*self._java("384m"), "kafka.Kafka", str(self.folder / "server.properties")]

    def answers(self) -> bool:
        if not connects(self.port):
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        address = f"127.0.0.1:{self.port}"
        with suppress(KafkaException):
            admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
            return bool(admin.list_topics(timeout=2).brokers)
        return False

    def _java(self, heap: str) -> list[str]:
        libs = Path(os.environ.get("CROUPIER_KAFKA_LIBS", ROOT / ".services" / "kafka-libs"))
        if not any(libs.glob("kafka_*.jar")):
            raise ServiceError(f"kafka: no jars in {libs}. Fetch them: make jars")
        return [
            binary("java", "openjdk-17-jre-headless"),
            *("-Xms64m", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            *("-cp", f"{libs}/*"),
        ]
