"""A new connection: where the host is, and who answers there, by a deadline."""

import ipaddress
import socket
import ssl
import threading
import time
from typing import Any, NamedTuple

from croupier.client import processes

_FRESH_SECONDS = 30.0


def left(deadline: float) -> float:
    """Seconds until then; TimeoutError if there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class Dial:
    """Connects to one host and port, with TLS or without."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host, self._tls = host, tls
        self._addresses = Addresses(host, port)

    def connect(self, deadline: float) -> socket.socket:
        """The first address that answers; each gets its share of the time. Else an OSError."""
        failure: OSError = OSError("no address")
        addresses = self._addresses.find(deadline)
        for place, address in enumerate(addresses):
            share = left(deadline) / (len(addresses) - place)
            try:
                link = self._open(address, time.monotonic() + share)
            except OSError as error:
                failure = error
            else:
                self._addresses.prefer(address)
                return link
        raise failure

    def _open(self, address: "Address", deadline: float) -> socket.socket:
        link = socket.socket(address.family, address.kind, address.protocol)
        try:
            link.settimeout(left(deadline))
            link.connect(address.place)
            _refuse_ourselves(link)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return link
            link.settimeout(left(deadline))
            return self._tls.wrap_socket(link, server_hostname=self._host)
        except BaseException:
            link.close()
            raise


class Address(NamedTuple):
    """One way to reach the host, as `socket` wants it."""

    family: int
    kind: int
    protocol: int
    name: str
    place: Any


class Addresses:
    """The addresses of one host and port, the one that worked last first.

    `getaddrinfo` knows no time-out, so it runs in a thread of its own, one at a time. An old
    answer is used while a new one is looked up, and for as long as none comes.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._known: list[Address] = []
        self._fixed = _is_literal(host)
        self._fresh_until = 0.0
        if self._fixed:
            self._known = self._look_up()
        self.after_fork()
        processes.watch(self)

    def after_fork(self) -> None:
        """No look-up is under way."""
        self._lock = threading.RLock()
        self._looking: threading.Event | None = None

    def find(self, deadline: float) -> list[Address]:
        """Every address, best first; OSError when none is known by the deadline."""
        if self._fixed:
            return self._known
        with self._lock:
            known = self._known
            if known and time.monotonic() < self._fresh_until:
                return known
            looking = self._looking or self._start()
        if known:
            return known
        if not looking.wait(max(0.0, deadline - time.monotonic())):
            raise TimeoutError(f"looking up {self._host} took too long")
        if not self._known:
            raise OSError(f"the address of {self._host} is not known")
        return self._known

    def prefer(self, address: Address) -> None:
        """This one worked: try it first from now on."""
        known = self._known
        if len(known) > 1 and known[0] is not address:
            self._known = [address, *(one for one in known if one is not address)]

    def _start(self) -> threading.Event:
        looking = self._looking = threading.Event()
        thread = threading.Thread(
            target=self._refresh, args=(looking,), name="croupier-look-up", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the interpreter is ending, or there are too many threads
            self._looking = None
            raise OSError(str(error)) from error
        return looking

    def _refresh(self, looking: threading.Event) -> None:
        try:
            found = self._look_up()
        except Exception:  # noqa: BLE001 - whatever it was, somebody waits for an answer
            found = []
        with self._lock:
            self._known = found or self._known
            self._fresh_until = time.monotonic() + (_FRESH_SECONDS if found else 0.0)
            self._looking = None
        looking.set()

    def _look_up(self) -> list[Address]:
        return [
            Address(*found)
            for found in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        ]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refuse_ourselves(link: socket.socket) -> None:
    """On loopback, a port where nobody listens may connect to itself."""
    if link.getsockname() == link.getpeername():
        raise ConnectionRefusedError("nobody listens")
