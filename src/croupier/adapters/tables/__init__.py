"""Tables that somebody else keeps: a file, a SQLite database, an address."""

from croupier.adapters.tables.address import AddressTable
from croupier.adapters.tables.database import DatabaseTable
from croupier.adapters.tables.file import FileTable

__all__ = ["AddressTable", "DatabaseTable", "FileTable"]
