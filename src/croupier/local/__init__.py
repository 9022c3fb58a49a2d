"""Decide in process: the calls of croupier.client, answered without the network."""

from croupier.local.door import LocalCroupier

__all__ = ["LocalCroupier"]
