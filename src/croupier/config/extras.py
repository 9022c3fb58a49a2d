"""Extras of the package: what is missing is said by the name that installs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from croupier.config.errors import ConfigError


@contextmanager
def extra(name: str, module: str) -> Iterator[None]:
    """While a module of an extra is imported; ConfigError that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == module:
            raise ConfigError(f"{module} is missing: pip install 'croupier[{name}]'") from error
        raise
