"""What the URLs of services say: a scheme, a place, options that are ours."""

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from croupier.config.errors import ConfigError


def scheme(url: str, what: str, *schemes: str) -> tuple[str, str]:
    """The hosts and the path of a URL; ConfigError, without its secrets, for another scheme."""
    parts = urlsplit(url)
    if parts.scheme not in schemes or (parts.scheme == "kafka" and not parts.netloc):
        shown = f"{parts.scheme}://…" if parts.scheme else "no URL"
        raise ConfigError(f"{what}: {shown}: expected {schemes[0]}://host:port/…")
    return parts.netloc, unquote(parts.path.strip("/"))


def take(url: str, key: str, default: str = "croupier") -> tuple[str, str]:
    """The URL without one of its options, which is ours, and that option."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    ours = [value for name, value in options if name == key]
    rest = urlencode([option for option in options if option[0] != key])
    return urlunsplit(parts._replace(query=rest)), ours[-1] if ours else default


def whole(text: str, key: str, least: int = 1) -> int:
    """A whole number that an option says; ConfigError, naming it, for anything else."""
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise ConfigError(f"log: {key}={text}: expected a whole number of {least} or more")
    return int(text)
