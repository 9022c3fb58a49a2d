"""The caller's door: decide, report, and never break the page; stands alone."""

from croupier.client.door import Croupier
from croupier.client.messages import Decided, Shown

__all__ = ["Croupier", "Decided", "Shown"]
