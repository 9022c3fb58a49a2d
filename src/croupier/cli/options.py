"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The declaration of experiments, a TOML file.")
]
Data = Annotated[str, typer.Option("--data", "-d", help="The data file, or sqlite:///its-path.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]
Seed = Annotated[int, typer.Option("--seed", help="Makes chance repeatable.")]
