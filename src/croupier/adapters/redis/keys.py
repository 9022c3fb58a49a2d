"""The names of keys in Redis: what docs/reference/redis.md promises."""

from typing import NamedTuple


class Keys(NamedTuple):
    """Every key begins with the prefix.

    >>> Keys().snapshot("top-button"), Keys("shop").arm("home", "top-button", "install")
    ('croupier:top-button:snapshot', 'shop:home:top-button:arm:install')
    """

    prefix: str = "croupier"

    @property
    def versions(self) -> str:
        """A hash: the newest version, by experiment."""
        return f"{self.prefix}:versions"

    @property
    def published(self) -> str:
        """A channel: the experiment's name, whenever one is published."""
        return f"{self.prefix}:published"

    @property
    def declared(self) -> str:
        """A hash: the newest declaration and arms, as MessagePack, by experiment."""
        return f"{self.prefix}:declared"

    def snapshot(self, experiment: str) -> str:
        """A string: the newest snapshot, as MessagePack."""
        return f"{self.prefix}:{experiment}:snapshot"

    def history(self, experiment: str) -> str:
        """A sorted set: the newest snapshots by version, each behind its time and a bar."""
        return f"{self.prefix}:{experiment}:history"

    def arm(self, surface: str, experiment: str, arm: str) -> str:
        """A hash: n, reward_sum, mean, weight and version of an arm."""
        return f"{self.prefix}:{surface}:{experiment}:arm:{arm}"

    def drawn(self, surface: str, experiment: str) -> str:
        """A set: the keys of the arms that the newest counted snapshot draws from."""
        return f"{self.prefix}:{surface}:{experiment}:drawn"
