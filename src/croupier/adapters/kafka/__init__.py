"""The event log on Kafka: keyed partitions, stamped by the broker."""

from croupier.adapters.kafka.cluster import Cluster
from croupier.adapters.kafka.dead import KafkaDeadLetters
from croupier.adapters.kafka.log import KafkaLog
from croupier.adapters.kafka.source import KafkaTopic

__all__ = ["Cluster", "KafkaDeadLetters", "KafkaLog", "KafkaTopic"]
