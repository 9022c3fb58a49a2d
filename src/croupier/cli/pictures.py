"""--picture: where one may be written; it is there whole or not at all."""

import os
import sys
from pathlib import Path

import typer


def in_a_folder(picture: Path | None) -> Path | None:
    """The option as it was given; BadParameter where no folder would hold the file."""
    if picture is not None and not picture.absolute().parent.is_dir():
        raise typer.BadParameter(f"{picture.parent} is not a folder")
    return picture


def put_picture(picture: Path, svg: str) -> None:
    """Write it, in place of the one before; ConfigError where it cannot be. Print answers first."""
    from croupier.config.whole_file import put_whole

    device = picture.exists() and not picture.is_file()
    file = picture if device else Path(os.path.realpath(picture))  # a link stays one
    put_whole(file, svg.encode(), over=True)
    print(f"wrote {picture}", file=sys.stderr)
