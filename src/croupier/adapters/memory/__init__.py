"""All ports in dicts and lists: their meaning, written to be read."""

from croupier.adapters.memory.log import MemoryLog
from croupier.adapters.memory.snapshots import MemorySnapshots
from croupier.adapters.memory.sources import MemoryDeadLetters, MemoryTopic
from croupier.adapters.memory.state import MemoryState
from croupier.adapters.memory.stories import MemoryStories

__all__ = [
    "MemoryDeadLetters",
    "MemoryLog",
    "MemorySnapshots",
    "MemoryState",
    "MemoryStories",
    "MemoryTopic",
]
