"""croupier doctor: what is in order, what is not, one line each."""

import json
from pathlib import Path
from typing import Annotated

import typer

from croupier.cli.options import Config, Data, Json
from croupier.cli.where import CacheUrl, LogUrl, StatesUrl, is_distributed


def doctor(  # noqa: PLR0913 - the options of a command
    config: Config = Path("croupier.toml"),
    data: Data = "croupier.db",
    host: Annotated[str, typer.Option(help="The address that `up` listens on.")] = "127.0.0.1",
    log: LogUrl = "",
    states: StatesUrl = "",
    cache: CacheUrl = "",
    *,
    as_json: Json = False,
) -> None:
    """Check configuration, doors, data file, keys, log and learning; may run beside the server.

    With --log, --states and --cache: each process of a distributed ring, by what it has committed,
    and each [[source]] of the file.

    Exit code 1 when something is wrong.

    Examples:
      croupier doctor

      croupier doctor --config shop.toml --data shop.db --json
    """
    from croupier.config.backends import data_file
    from croupier.runners.checks import check_all

    if is_distributed(data, log):
        import os

        from croupier.config.services import Services
        from croupier.config.settings import load_settings
        from croupier.runners.distributed.checks import check_services
        from croupier.runners.sourcing.checks import check_sources

        services = Services(log, states, cache)
        findings = check_services(services)
        if config.exists():
            findings += check_sources(load_settings(config), services, os.environ)
    else:
        findings = check_all(config, data_file(data), host)
    if as_json:
        checks = [finding._asdict() for finding in findings]
        good = all(finding.ok for finding in findings)
        print(json.dumps({"ok": good, "checks": checks}, ensure_ascii=False))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what:<16} {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
