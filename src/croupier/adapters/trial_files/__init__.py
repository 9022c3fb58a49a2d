"""Logs that people have: CSV, Parquet, Open Bandit Dataset, VW dsjson."""

from croupier.adapters.trial_files.dsjson import DsjsonLog
from croupier.adapters.trial_files.roles import ROLES
from croupier.adapters.trial_files.rows import UnreadableFileError
from croupier.adapters.trial_files.slates import TableSlates
from croupier.adapters.trial_files.table import TableLog

__all__ = ["ROLES", "DsjsonLog", "TableLog", "TableSlates", "UnreadableFileError"]
