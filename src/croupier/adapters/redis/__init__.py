"""Published snapshots in Redis, and each arm's counts for others to read."""

from croupier.adapters.redis.keys import Keys
from croupier.adapters.redis.snapshots import RedisSnapshots

__all__ = ["Keys", "RedisSnapshots"]
