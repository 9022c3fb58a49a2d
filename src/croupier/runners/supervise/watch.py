"""One command under supervision: started, watched, started again, given up."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from croupier.core.duration import SECOND, format_duration
from croupier.core.restarts import Bound
from croupier.runners.supervise.child import Child, Health, ask_health

Tell = Callable[..., None]
_REFUSED = 2
"""The exit code of a `croupier` that found something a person must mend."""


class Rules(NamedTuple):
    """How a command is watched; times in milliseconds."""

    every: int = 10 * SECOND
    failures: int = 3
    timeout: int = 5 * SECOND
    patience: int = 60 * SECOND
    stop: int = 10 * SECOND
    bound: Bound = Bound()


class Watch:
    """What became of one command so far; `look` is called again and again, and never waits long.

    States: `starting` until it was ready once, `well`, `unwell` while checks fail, `waiting` for a
    restart, `ended` (exit code 0: somebody wanted it), `gave up`.
    """

    def __init__(
        self, command: Sequence[str], url: str | None, rules: Rules, start: Callable[..., Child]
    ) -> None:
        self.command, self._url, self.rules, self._start = list(command), url, rules, start
        self.state, self.why, self.code = "waiting", "", 0
        self.child: Child | None = None
        self.restarts: list[tuple[int, str]] = []
        self._again_at, self._started, self._check_at = 0, 0, 0
        self._failed, self._was_ready, self._said_held = 0, False, False

    @property
    def over(self) -> bool:
        """Whether nothing more will be done."""
        return self.state in ("ended", "gave up")

    def look(self, now: int, tell: Tell) -> None:
        """Do what is due at `now`."""
        if self.over:
            return
        if self.child is None:
            if now >= self._again_at:
                self._begin(now, tell)
            return
        code = self.child.exit_code()
        if code is not None:
            self._ended(code, now, tell)
        elif now >= self._check_at:
            self._check_at = now + self.rules.every
            self._check(self.child, now, tell)

    def stop(self, tell: Tell) -> None:
        """End it, for good."""
        if self.child is not None:
            self.code = self.child.end(self.rules.stop / SECOND)
            tell(self, "stopped", f"ended with {self.code}")
            self.child = None
        if not self.over:
            self.state = "ended"

    def page(self) -> dict[str, Any]:
        """What the supervisor's state says of it."""
        return {
            "command": " ".join(self.command),
            "pid": self.child.pid if self.child else None,
            "url": self.child.url if self.child else self._url,
            "state": self.state,
            "why": self.why,
            "restarts": [{"at": at, "why": why} for at, why in self.restarts[-20:]],
        }

    def _begin(self, now: int, tell: Tell) -> None:
        try:
            self.child = self._start(self.command, self._url)
        except OSError as error:
            self._give_up(f"cannot be started: {error.strerror or error}", tell)
            return
        self.state, self._started, self._failed = "starting", now, 0
        self._was_ready = self._said_held = False
        self._check_at = now
        tell(self, "started", "")

    def _ended(self, code: int, now: int, tell: Tell) -> None:
        how = f"killed by signal {-code}" if code < 0 else f"exited with {code}"
        words = f"{how}: {self.child.last_words()}" if self.child and code > 0 else how
        self.child, was_ready = None, self._was_ready
        if code == 0:
            self.state, self.why = "ended", how
            tell(self, "ended", "it ended by itself, with 0: somebody wanted that")
        elif code == _REFUSED and not was_ready and not self.restarts:
            self.code = code
            self._give_up(f"{words} (before it was ready: starting again would not help)", tell)
        else:
            self._again(words, now, tell)

    def _check(self, child: Child, now: int, tell: Tell) -> None:
        if child.url is None:
            health = Health(answers=False, ready=False, reason="it does not say where it listens")
        else:
            health = ask_health(child.url, self.rules.timeout / SECOND)
        if health.well:
            if self.state != "well":
                tell(self, "well", "ready" if not self._was_ready else "well again")
            self.state, self.why, self._failed = "well", "", 0
            self._was_ready = True
            self._said_held = False
            return
        if not self._was_ready and now - self._started < self.rules.patience:
            return
        self._failed += 1
        self.state, self.why = "unwell", health.reason
        tell(self, "unwell", f"check {self._failed} of {self.rules.failures}: {health.reason}")
        if self._failed >= self.rules.failures:
            self._replace(child, health, now, tell)

    def _replace(self, child: Child, health: Health, now: int, tell: Tell) -> None:
        if self._wait(now) is None and health.answers:
            # It still decides, from its last snapshots: worth more than nobody at the door.
            if not self._said_held:
                tell(self, "held", "too many restarts, but it answers: left running")
            self._said_held, self._failed = True, 0
            return
        child.end(self.rules.stop / SECOND)
        self.child = None
        self._again(health.reason, now, tell)

    def _again(self, why: str, now: int, tell: Tell) -> None:
        wait = self._wait(now)
        if wait is None:
            bound = self.rules.bound
            times = f"{bound.most} restarts within {format_duration(bound.within)}"
            self.code = 1
            self._give_up(f"{why}; {times} did not help", tell)
            return
        self.restarts.append((now, why))
        self.state, self.why, self._again_at = "waiting", why, now + wait
        tell(self, "restart", f"{why}; starting again in {format_duration(wait)}")

    def _wait(self, now: int) -> int | None:
        return self.rules.bound.wait([at for at, _ in self.restarts], now)

    def _give_up(self, why: str, tell: Tell) -> None:
        self.state, self.why, self.code = "gave up", why, self.code or 1
        tell(self, "gave up", why)
