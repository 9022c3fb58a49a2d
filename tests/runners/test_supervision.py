"""What a failing Spark query means for its checkpoint: queries that fail as told, without Spark."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from croupier.ports import UnusableError
from croupier.runners.spark.misfit import MisfitError
from croupier.runners.spark.supervision import Supervised

Way = Callable[["Lab"], None]


class Lab:
    """Queries that end at once, each in the way that is its turn; the last ends well."""

    def __init__(self, *ways: Way, recover: bool = True) -> None:
        self._ways, self._committed = list(ways), 0
        self.checkpoint, self.starts = 1, 0
        self._supervised = Supervised("it", self._aside, threading.Event(), recover=recover)
        self._take = self._supervised.taking(self._commit, lambda: self._committed)

    def run(self) -> "Lab":
        self._supervised.run(self._start)
        return self

    def commit(self) -> None:
        self._take(["something"])

    def misfit(self) -> None:
        self._take([])

    def _commit(self, rows: list[Any]) -> None:
        if not rows:
            raise MisfitError("elsewhere")
        self._committed += 1

    def _aside(self) -> str:
        self.checkpoint += 1
        return f"it/{self.checkpoint - 1}"

    def _start(self) -> Any:
        self.starts += 1
        if self._ways:
            self._ways.pop(0)(self)
        return Done()


class Done:
    isActive = False  # noqa: N815 - as PySpark says it

    def exception(self) -> None:
        return None


def fails(lab: Lab) -> None:
    raise OSError("whatever Spark says")


def fails_later(lab: Lab) -> None:
    lab.commit()
    fails(lab)


def does_not_fit(lab: Lab) -> None:
    lab.misfit()


def test_a_failure_by_itself_costs_no_checkpoint() -> None:
    lab = Lab(fails, fails_later, fails, fails_later).run()
    assert (lab.starts, lab.checkpoint) == (5, 1)


def test_two_failures_do() -> None:
    lab = Lab(fails, fails, fails).run()
    assert (lab.starts, lab.checkpoint) == (4, 2)


def test_so_does_one_that_does_not_fit() -> None:
    assert Lab(does_not_fit).run().checkpoint == 2


def test_a_new_checkpoint_that_does_not_help_is_told() -> None:
    with pytest.raises(UnusableError, match="A new checkpoint does not help"):
        Lab(fails, fails, fails, fails).run()


def test_nothing_is_set_aside_unasked() -> None:
    lab = Lab(fails, fails, recover=False)
    with pytest.raises(UnusableError, match="--recover sets it aside"):
        lab.run()
    assert lab.checkpoint == 1


# --- what is said of a failure --------------------------------------------------------------------

PROXY = """\
An exception was raised by the Python Proxy. Return Message: Traceback (most recent call last):
  File "pyspark/clientserver.py", line 617, in _call_proxy
    return_value = getattr(self.pool[obj_id], method)(*params)
                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
py4j.protocol.Py4JJavaError: an error while calling o88.collect

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "pyspark/sql/utils.py", line 120, in call
    raise e
pyspark.errors.StreamingQueryException: the delta file 7.delta does not exist
\tat org.apache.spark.Query.run(Query.scala:3)
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PROXY, "pyspark.errors.StreamingQueryException: the delta file 7.delta does not exist"),
        (
            "\n  [STREAM_FAILED] no file\n\tat org.Query.run(Query.scala:3)",
            "[STREAM_FAILED] no file",
        ),
        ("\tat org.Query.run(Query.scala:3)\nno file", "no file"),
        (PROXY.partition("\n")[0], PROXY.partition("\n")[0]),
        (" \n", "OSError"),
        ("x" * 999, "x" * 300),
    ],
)
def test_the_line_that_tells_is_told(
    text: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    def says(lab: Lab) -> None:
        raise OSError(text)

    Lab(says, says).run()
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"it: begun again: {line}", f"it: checkpoint it/1 set aside: {line}"]
