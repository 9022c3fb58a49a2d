"""The map of src/croupier in ARCHITECTURE.md, made of each module's first docstring line.

python tests/shape/architecture_map.py --write | --check
"""

import argparse
import ast
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "croupier"
PAGE = ROOT / "ARCHITECTURE.md"
OPEN, CLOSE = "<!-- map -->", "<!-- /map -->"
NEW_PAGE = f"# Architecture\n\n{OPEN}\n{CLOSE}\n"
WIDTH = 22
STANDS_ALONE = {"client", "cli", "config", "local", "ports", "runners"}
COLUMNS = 116
OPEN_ROOMS = 1
"""How deep the map shows a line a file; a room below that is one line, with its files' names."""


def title(module: Path) -> str:
    """First line of a module's docstring; empty if it has none."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].strip()


def tree(folder: Path, depth: int = 0) -> list[str]:
    """One line for a folder (its `__init__`'s title), then its files, then its folders."""
    files = [file for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]
    if depth > OPEN_ROOMS or folder.name in STANDS_ALONE:
        names = " ".join(file.stem for file in files)
        text = f"{title(folder / '__init__.py')} ({names})"
        return wrap(text, row(depth, f"{folder.name}/", ""))
    rooms = [room for room in sorted(folder.iterdir()) if (room / "__init__.py").exists()]
    return [
        row(depth, f"{folder.name}/", title(folder / "__init__.py")),
        *(row(depth + 1, file.name, title(file)) for file in files),
        *(line for room in rooms for line in tree(room, depth + 1)),
    ]


def wrap(text: str, head: str) -> list[str]:
    """The text behind its head, on as many lines as it takes."""
    lines = textwrap.wrap(text, COLUMNS - len(head))
    return [head + lines[0], *(" " * len(head) + line for line in lines[1:])]


def row(depth: int, name: str, text: str) -> str:
    """`name — text`, indented by depth, the dashes under one another."""
    return f"{'  ' * depth + name:<{WIDTH}} — {text}"


def redrawn(page: str, package: Path = PACKAGE) -> str:
    """The page with the map between its markers drawn anew."""
    if page.count(OPEN) != 1 or page.count(CLOSE) != 1 or page.index(OPEN) > page.index(CLOSE):
        msg = f"{PAGE.name} must hold {OPEN} and {CLOSE} once each, in this order"
        raise ValueError(msg)
    before, _, rest = page.partition(OPEN)
    after = rest.partition(CLOSE)[2]
    drawing = "\n".join(["```text", *tree(package), "```"])
    return f"{before}{OPEN}\n{drawing}\n{CLOSE}{after}"


def main() -> int:
    """Write the map, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--write", action="store_true", help="write the map into the page")
    task.add_argument("--check", action="store_true", help="fail if the page's map is out of date")
    write = parser.parse_args().write
    if not PAGE.exists() and not write:
        print(f"{PAGE.name} is missing", file=sys.stderr)
        return 1
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else NEW_PAGE
    try:
        drawn = redrawn(page)
    except ValueError as fault:
        print(fault, file=sys.stderr)
        return 1
    if write:
        PAGE.write_text(drawn, encoding="utf-8")
    elif drawn != page:
        print(f"The map in {PAGE.name} is out of date: make map", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
