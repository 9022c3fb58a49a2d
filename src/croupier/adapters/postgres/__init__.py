"""Arm states, their history, and snapshots in PostgreSQL."""

from croupier.adapters.postgres.arms import ArmNames
from croupier.adapters.postgres.database import Database
from croupier.adapters.postgres.snapshots import PostgresSnapshots
from croupier.adapters.postgres.state import PostgresState

__all__ = ["ArmNames", "Database", "PostgresSnapshots", "PostgresState"]
