"""A query's checkpoints: numbered folders; the newest counts, none is deleted."""

from typing import Any


class Checkpoint:
    """A folder of numbered folders, on whatever file system its address names.

    To set one aside is to begin the next. Nothing is renamed: object stores cannot, and a state
    store of the query before, in this very JVM, may still write where its own checkpoint was.
    """

    def __init__(self, session: Any, address: str) -> None:
        self._hadoop = session._jvm.org.apache.hadoop.fs  # noqa: SLF001 - PySpark's own door to Hadoop
        self._place = self._hadoop.Path(address)
        self._files = self._place.getFileSystem(session._jsc.hadoopConfiguration())  # noqa: SLF001
        self._address = address

    @property
    def current(self) -> str:
        """The newest folder."""
        return f"{self._address}/{max(self._numbers(), default=1)}"

    def set_aside(self) -> str:
        """Begin the next; OSError when it cannot be made. The one before, which stays."""
        before = self.current
        after = max(self._numbers(), default=1) + 1
        try:
            made = self._files.mkdirs(self._hadoop.Path(self._place, str(after)))
        except Exception as error:
            raise OSError(f"{self._address}/{after} cannot be made: {error}") from error
        if not made:
            raise OSError(f"{self._address}/{after} cannot be made")
        return before

    def _numbers(self) -> list[int]:
        if not self._files.exists(self._place):
            return []
        names = [str(one.getPath().getName()) for one in self._files.listStatus(self._place)]
        return [int(name) for name in names if name.isdecimal()]
