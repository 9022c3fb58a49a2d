"""The supervisor: looks at every command, passes signals on, says what it does."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from croupier.clock import Clock
from croupier.runners.looking.readable import iso
from croupier.runners.supervise.child import Child
from croupier.runners.supervise.watch import Rules, Watch

_LOOK_SECONDS = 0.1
_NOTIFY_SECONDS = 30
_PASSED_ON = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
NOTIFIED = ("restart", "held", "gave up")


class Supervisor:
    """Runs until every command is over, or until it is told to stop."""

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        rules: Rules,
        state: Path,
        *,
        url: str | None = None,
        notify: str | None = None,
        as_json: bool = False,
    ) -> None:
        self._clock, self._state_file = Clock(), state
        self._notify, self._as_json, self._every = notify, as_json, rules.every
        self._since, self._saved = self._clock.now(), 0.0
        self._stop = threading.Event()
        self._speaking = threading.Lock()
        out = partial(self._pass_on, sys.stderr if as_json else sys.stdout)
        start = partial(Child, out=out, err=partial(self._pass_on, sys.stderr))
        self.watches = [Watch(command, url, rules, start) for command in commands]

    def run(self) -> int:
        """Supervise; the exit code: 0 when all ended because somebody wanted it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        for number in _PASSED_ON:
            signal.signal(number, self._pass_signal)
        try:
            while not self._stop.is_set() and not all(watch.over for watch in self.watches):
                for watch in self.watches:
                    watch.look(self._clock.now(), self._tell)
                self._save(soon=False)
                self._stop.wait(_LOOK_SECONDS)
        finally:
            for watch in self.watches:
                watch.stop(self._tell)
            self._save(soon=True)
        return max((watch.code for watch in self.watches if watch.state == "gave up"), default=0)

    def _tell(self, watch: Watch, event: str, detail: str) -> None:
        """One line for each thing that happened, and the hook for what a person should know."""
        pid = watch.child.pid if watch.child else None
        line: dict[str, Any] = {"at": iso(self._clock.now()), "event": event, "detail": detail}
        line |= {"command": " ".join(watch.command), "pid": pid}
        if self._as_json:
            self._pass_on(sys.stdout, json.dumps(line, ensure_ascii=False))
        else:
            who = line["command"] + (f" (pid {pid})" if pid else "")
            text = f"{event}: {detail}" if detail else event
            self._pass_on(sys.stderr, f"{line['at']} supervise: {who} {text}")
        if event in NOTIFIED and self._notify:
            threading.Thread(target=self._run_hook, args=(line,), name="notify").start()
        self._save(soon=True)

    def _pass_on(self, stream: Any, text: str) -> None:
        with self._speaking, suppress(OSError, ValueError):  # who listens may go away; we stay
            print(text, file=stream, flush=True)

    def _pass_signal(self, number: int, _: object) -> None:
        for watch in self.watches:
            if watch.child is not None:
                watch.child.pass_signal(number)

    def _run_hook(self, line: dict[str, Any]) -> None:
        told = {f"CROUPIER_{key.upper()}": str(value or "") for key, value in line.items()}
        try:
            subprocess.run(  # noqa: S602 - the operator's own command, in the operator's own shell
                self._notify or "",
                shell=True,
                env=os.environ | told,
                input=json.dumps(line),
                text=True,
                check=True,
                timeout=_NOTIFY_SECONDS,
                stdout=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError) as error:
            self._pass_on(sys.stderr, f"{iso(self._clock.now())} supervise: --notify: {error}")

    def _save(self, *, soon: bool) -> None:
        """Write the state for `croupier doctor`, whole or not at all; each look costs nothing."""
        if not soon and time.monotonic() < self._saved + self._every / 1000:
            return
        self._saved = time.monotonic()
        page: dict[str, Any] = {"pid": os.getpid(), "since": self._since, "at": self._clock.now()}
        page |= {"every": self._every, "commands": [watch.page() for watch in self.watches]}
        draft = self._state_file.with_name(f"{self._state_file.name}.{os.getpid()}")
        try:
            draft.write_text(json.dumps(page, ensure_ascii=False) + "\n", encoding="utf-8")
            draft.replace(self._state_file)
        except OSError as error:
            self._pass_on(sys.stderr, f"supervise: {self._state_file}: {error.strerror}")
