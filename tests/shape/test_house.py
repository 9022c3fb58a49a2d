"""The house rules that no other tool checks. Each test names every fault that it finds."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

import croupier
from tests.shape.architecture_map import PACKAGE, PAGE, ROOT, redrawn, title

MODULE_LINES, FUNCTION_LINES, PAGE_LINES, TITLE_WIDTH = 200, 60, 150, 80
NAMELESS = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
CORE_MAY_IMPORT = {"croupier", "msgspec", "numpy", "scipy"}
TECHNOLOGIES = {
    "confluent_kafka",
    "hiredis",
    "pandas",
    "psycopg",
    "psycopg_pool",
    "py4j",
    "pyarrow",
}
TECHNOLOGIES |= {"pyspark", "redis", "sqlite3"}
DICE = {"default_rng", "SeedSequence", "PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"}

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}
CORE = {name: tree for name, tree in TREES.items() if name.startswith("src/croupier/core/")}

Public = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_there_is_a_house_to_check() -> None:
    assert CORE


# --- size and names -------------------------------------------------------------------------------


def test_a_module_fits_on_three_screens() -> None:
    sizes = {name: len(source.splitlines()) for name, source in SOURCES.items()}
    assert not {name: size for name, size in sizes.items() if size > MODULE_LINES}


def test_a_function_fits_on_one_screen() -> None:
    sizes = {
        f"{name}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS) and node.end_lineno
    }
    assert not {name: size for name, size in sizes.items() if size > FUNCTION_LINES}


def test_no_room_without_a_concept() -> None:
    assert not [name for name in SOURCES if NAMELESS & set(re.split(r"[/.]", name))]


# --- documentation --------------------------------------------------------------------------------


def test_a_module_opens_with_a_sentence() -> None:
    titles = {name: title(ROOT / name) for name in SOURCES}
    assert not {
        name: line
        for name, line in titles.items()
        if not line.endswith((".", "?")) or len(line) >= TITLE_WIDTH
    }


def test_what_is_public_is_explained() -> None:
    assert not [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in TREES.items()
        for node in public(tree)
        if not ast.get_docstring(node)
    ]


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Public]:
    """Public classes and functions of a module, and the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, *FUNCTIONS)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def test_the_map_is_the_territory() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == redrawn(page), "out of date: make map"


def test_the_architecture_is_read_in_ten_minutes() -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= PAGE_LINES


# --- tests ----------------------------------------------------------------------------------------


def test_a_test_of_the_core_is_named_after_its_module() -> None:
    """`test_<module>.py` or `test_<module>_<theme>.py`; laws span modules and are free."""
    concepts = {Path(name).stem for name in CORE} | {Path(name).parent.name for name in CORE}
    tests = [path.stem for path in (ROOT / "tests" / "core").rglob("test_*.py")]
    assert not [
        test
        for test in tests
        if "law" not in test and concepts.isdisjoint(beginnings(test.removeprefix("test_")))
    ]


def beginnings(words: str) -> set[str]:
    """`a_b_c` begins with `a`, `a_b` and `a_b_c`."""
    parts = words.split("_")
    return {"_".join(parts[: end + 1]) for end in range(len(parts))}


# --- purity that import-linter cannot see ---------------------------------------------------------


def test_the_core_needs_three_libraries_at_most() -> None:
    imported = {
        (name, module.partition(".")[0])
        for name, tree in CORE.items()
        for node in ast.walk(tree)
        for module in imports(node)
    }
    assert not [
        (name, top)
        for name, top in sorted(imported)
        if top not in CORE_MAY_IMPORT | sys.stdlib_module_names
    ]


def test_technologies_are_named_in_adapters_only() -> None:
    """Without an exception: import-linter asks the same, but can be told to look away."""
    assert not [
        f"{name}:{node.lineno} {module}"
        for name, tree in TREES.items()
        if not name.startswith("src/croupier/adapters/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in imports(node)
        if module.partition(".")[0] in TECHNOLOGIES
    ]
    contracts = {each["name"]: each for each in PYPROJECT["tool"]["importlinter"]["contracts"]}
    contract = contracts["Technologies are named in adapters only"]
    assert set(contract["forbidden_modules"]) == TECHNOLOGIES
    assert "ignore_imports" not in contract


def imports(node: ast.AST) -> list[str]:
    """The modules that a statement imports; relative imports stay within the house."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def test_the_core_throws_no_hidden_dice() -> None:
    """A generator without a seed is a clock in disguise."""
    assert not [
        f"{name}:{node.lineno}"
        for name, tree in CORE.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and not node.args and not node.keywords
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in DICE
    ]


# --- locks, version, privacy ----------------------------------------------------------------------

PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ;]+)", re.MULTILINE)


def pins(lock: str) -> set[tuple[str, str]]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return {(pin["name"], pin["version"]) for pin in PIN.finditer(text)}


def test_a_lock_holds_no_address() -> None:
    address = re.compile(r"://|--(extra-)?index-url|--find-links|git\+| @ ")
    for lock in (ROOT / "requirements").iterdir():
        assert not address.findall(lock.read_text(encoding="utf-8")), lock.name


def test_a_lock_fits_the_project() -> None:
    base = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
    dev = [Requirement(line) for line in PYPROJECT["dependency-groups"]["dev"]]
    peers = [Requirement(line) for line in PYPROJECT["dependency-groups"]["peers"]]
    locks = {"base.txt": base, "dev.txt": base + dev, "peers.txt": peers}
    for lock, wanted in locks.items():
        held = pins(lock)
        assert not [
            str(need)
            for need in wanted
            if not any(n == need.name and need.specifier.contains(v) for n, v in held)
        ], f"{lock} is out of date: make lock"


def test_the_locks_agree() -> None:
    assert pins("base.txt")
    assert pins("bootstrap.txt")
    assert not (pins("base.txt") | pins("bootstrap.txt")) - pins("dev.txt")


def test_one_version() -> None:
    assert croupier.__version__ == PYPROJECT["project"]["version"]


def test_no_file_names_a_private_path() -> None:
    private = re.compile(r"(?<![\w.*~/-])/(?:work|root|opt/wheels)/")
    listed = files()
    assert Path(__file__) in listed
    assert not [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in listed
        if (found := private.search(path.read_bytes().decode("utf-8", errors="replace")))
    ]


def files() -> list[Path]:
    """What git holds or would take; in a copy without git, all that is not hidden."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others"]
    command.append("--exclude-standard")
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        ]
    return [path for path in found if path.is_file()]
