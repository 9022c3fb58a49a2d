"""A query's checkpoint: a folder that may be set aside, and is never deleted."""

from typing import Any


class Checkpoint:
    """A folder on whatever file system its address names, as Spark's driver reaches it."""

    def __init__(self, session: Any, address: str) -> None:
        self._session, self.address = session, address

    def set_aside(self) -> str | None:
        """Move it beside its place, under a name of its own; that, or None where there was none.

        OSError when it cannot be moved.
        """
        hadoop = self._session._jvm.org.apache.hadoop.fs  # noqa: SLF001 - PySpark's own door to Hadoop
        here = hadoop.Path(self.address)
        files = here.getFileSystem(self._session._jsc.hadoopConfiguration())  # noqa: SLF001
        if not files.exists(here):
            return None
        number = 1
        while files.exists(aside := hadoop.Path(f"{self.address}.aside-{number}")):
            number += 1
        if not files.rename(here, aside):
            raise OSError(f"{self.address} cannot be renamed to {aside.toString()}")
        return str(aside.toString())
