"""The event log on Kafka: keyed partitions, stamped by the broker."""

from croupier.adapters.kafka.cluster import Cluster
from croupier.adapters.kafka.log import KafkaLog

__all__ = ["Cluster", "KafkaLog"]
