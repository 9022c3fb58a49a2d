"""Data in and out as the documents tell it, and the notebook that draws what was exported."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from croupier.config.backends import open_backends
from tests.apps.house import NAME, SINGLE, a_house
from tests.docs.test_documents import (
    QUICK,
    README_TOML,
    ROOT,
    _one_trial,
    _page,
    blocks,
    server,
    shell,
)

IN, OUT = "docs/howto/import-data.md", "docs/howto/export.md"


@pytest.mark.documents
def test_data_is_imported_as_told(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML)
    past, master = blocks(IN, "csv")
    (tmp_path / "past.csv").write_text(past)
    (tmp_path / "arms.csv").write_text(master)
    first, mend, arms, over_http = blocks(IN, "sh")
    with server(tmp_path) as url:

        def run(script: str) -> str:
            script = script.replace("--experiment", f"--server {url} --experiment")
            return shell(tmp_path, script.replace("localhost:8080", url.removeprefix("http://")))

        assert "3 would be accepted, 0 were there, 1 refused" in run(first)
        assert "1 accepted, 3 were there, 0 refused" in run(mend)
        assert "start-now: not there → active" in run(arms)
        (shown,) = blocks(IN, "json")
        answers = run(over_http)
        assert answers.startswith(json.dumps(json.loads(shown), separators=(",", ":"))[:110])
        page = _page(url)
        assert page["imported"] == 10_000 + 9_800 + 50 + 9_900 + 1_200
        status = {arm["arm"]: arm["status"] for arm in page["arms"]}
        assert (status["start-now"], status["see-recipes"]) == ("active", "paused")


@pytest.mark.documents
def test_data_is_exported_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML + QUICK)
    everything, nightly, archive, again = blocks(OUT, "sh")
    with server(tmp_path) as url:
        _one_trial(url, "click")
        assert "observations" in shell(tmp_path, everything)
        assert "observations" in shell(tmp_path, nightly)
        assert "entries" in shell(tmp_path, archive)
        assert "the stored sums are what the log says" in shell(tmp_path, again)
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(OUT, "python")
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["states"].to_pylist()[0]["n"] == 1
    folders = {line.split("`")[1] for line in _rows() if line.startswith("| `")}
    assert folders >= {path.name for path in (tmp_path / "warehouse").iterdir()} | {"entries"}


def _rows() -> list[str]:
    return (ROOT / OUT).read_text(encoding="utf-8").splitlines()


def cells(notebook: Path) -> list[str]:
    """The code cells of a notebook that was saved without outputs."""
    code = [
        cell
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    assert not any(cell["outputs"] for cell in code)
    return ["".join(cell["source"]) for cell in code]


@pytest.mark.documents
def test_figure_3_shows_what_was_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(os.environ, "MPLBACKEND", "Agg")
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        for day in range(4):
            for number in range(12):
                decided = house.decide(f"u-{day}-{number}")
                good = decided["slate"][0]["arm"] == "free-trial"
                kinds = ("impression", "click") if good else ("impression",)
                house.report(*({"kind": kind, "token": decided["token"]} for kind in kinds))
            house.settle()
            house.later(60_000)
            house.until(lambda _: not house.embedded.ring.learn._changed)
        page = house.page()
    shell(tmp_path, "croupier export")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in cells(ROOT / "examples" / "02_figure_3.ipynb"):
        exec(cell, names)
    history = open_backends(tmp_path / "croupier.db", read_only=True).cache.history(NAME, 100)
    assert len(history) >= 4
    tops: dict[int, float] = defaultdict(float)
    for place, arm in enumerate(names["shares"].columns):
        drawn = names["ax"].collections[place].get_paths()[0].vertices[:, 1].tolist()
        for one in history:
            weight = dict(zip(one.names, one.weights, strict=True))[arm]
            assert names["shares"].loc[one.version, arm] == weight
            tops[one.version] += weight
            assert min(abs(height - tops[one.version]) for height in drawn) < 1e-9
    assert all(top == pytest.approx(1) for top in tops.values())
    counted = names["trials"].groupby("arm").size().to_dict()
    assert counted == {arm["arm"]: arm["n"] for arm in page["arms"] if arm["n"]}
    names["plt"].close("all")
