"""The documents do what they say: their commands run, their settings exist, their links lead."""

import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from croupier.apps.serve.report import PlainReport
from croupier.cli import app
from croupier.config.access import API_KEYS
from croupier.config.keys import TOKEN_KEYS, UNIT_KEY
from croupier.config.settings import parse_settings
from croupier.config.tables import LimitsTable, LogTable, Server
from croupier.core.api_key import ApiKey
from croupier.core.candidates.declared import Candidates, Columns
from croupier.core.experiment import Experiment
from croupier.core.policies.registry import POLICIES
from croupier.core.reward import Term
from croupier.core.sources.declared import Moment, Source, Stated, Word

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language, in order, without their indentation."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def shell(folder: Path, script: str) -> str:
    """Run a block as a reader would, in a folder, with the command on the path."""
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, f"{script}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@contextmanager
def server(folder: Path, command: str = "croupier up") -> Iterator[str]:
    """A real `croupier up`, on the folder's croupier.toml and croupier.db, or as told; its address."""
    words = [sys.executable, "-m", *command.split(), "--port", "0", "--log-level", "warning"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        try:
            yield line.split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0


def post(url: str, body: object) -> Any:
    """The decoded answer to a JSON request."""
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


README_TOML = blocks("README.md", "toml")[0]
QUICK = 'expose_within = "100ms"\nwindow = "100ms"\nlateness = "100ms"\nsession = "none"\n'


def test_the_readme_declares_a_valid_experiment() -> None:
    assert parse_settings(README_TOML).experiments[0].name == "top-button"


@pytest.mark.documents
def test_the_readme_shows_real_requests_and_answers(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML)
    decide, report = (each for each in blocks("README.md", "sh") if each.startswith("curl"))
    shown = [json.loads(each) for each in blocks("README.md", "json")]
    with server(tmp_path) as url:
        here = url.removeprefix("http://")
        decided = json.loads(shell(tmp_path, decide.replace("localhost:8080", here)))
        assert decided.keys() == shown[0].keys()
        asked = report.replace("localhost:8080", here).replace("AQEB…", decided["token"])
        assert json.loads(shell(tmp_path, asked)) == shown[1]


@pytest.mark.documents
def test_an_experiment_is_declared_as_told(tmp_path: Path) -> None:
    page = "docs/howto/declare-an-experiment.md"
    (tmp_path / "croupier.toml").write_text(blocks(page, "toml")[0])
    check, simulate, up, ask, *_ = blocks(page, "sh")
    assert "hero-banner" in shell(tmp_path, check)
    assert "thompson" in shell(tmp_path, simulate.replace("100000", "2000"))
    with server(tmp_path, up) as url:
        decided = json.loads(shell(tmp_path, ask.replace("localhost:8080", url.partition("//")[2])))
        assert decided["slate"][0]["arm"] in {"summer", "travel", "plain"}


@pytest.mark.documents
def test_a_late_metric_is_fitted_declared_and_checked_as_told(tmp_path: Path) -> None:
    page, dice = "docs/howto/declare-an-experiment.md", random.Random(1)
    declared, (fit, check) = blocks(page, "toml")[-1], blocks(page, "sh")[-2:]
    rows = ["arm,click,cart,revenue_90d"]
    for trial in range(2_000):
        click, cart = dice.random() < 0.4, dice.random() < 0.1
        late = 0.31 * click + 1.12 * cart + dice.gauss(0.2, 0.5)
        rows.append(f"{('tour', 'discount')[trial % 2]},{click:d},{cart:d},{late:.4f}")
    (tmp_path / "trials.csv").write_text("\n".join(rows))
    head, printed = declared.partition("reward =")[0], shell(tmp_path, fit)
    found, shown = (parse_settings(text).experiments[0] for text in (head + printed, declared))
    assert found.reward.terms.keys() == shown.reward.terms.keys() == found.signals.keys()
    assert found.signals.keys() == shown.signals.keys()
    assert "no arm has drifted" in shell(tmp_path, check)


@pytest.mark.documents
def test_a_page_is_wired_as_told(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML)
    (block,) = blocks("docs/howto/wire-a-page.md", "python")
    names: dict[str, Any] = {}
    with server(tmp_path) as url:
        exec(block.replace("http://localhost:8080", url).replace("0.2", "5.0"), names)
        arm, token = names["page"]("u-1")
        assert arm in {"install", "free-trial", "see-recipes"}
        names["seen"](token)
        names["clicked"](token)
        assert names["croupier"].flush(5)
        assert _page(url)["open"] == 1
    assert names["page"]("u-1") == ("install", "")
    names["seen"]("")
    names["croupier"].close()
    counted = names["croupier"].stats()
    told = re.findall(r"`(\w+)`", (ROOT / "docs/howto/wire-a-page.md").read_text("utf-8"))
    assert {name for name in counted if not name.startswith("defaulted_")} <= {
        *told,
        *(f"events_{name}" for name in told),
    }
    assert (counted["events_accepted"], counted["events_skipped"]) == (2, 1)


@pytest.mark.documents
def test_a_caller_decides_in_process_as_told(tmp_path: Path) -> None:
    page = "docs/howto/decide-in-process.md"
    (tmp_path / "croupier.toml").write_text(README_TOML)
    (block,) = blocks(page, "python")
    names: dict[str, Any] = {}
    with server(tmp_path) as url:
        here = block.replace("http://localhost:8080", url)
        exec(here.replace("sqlite:///", f"sqlite:///{tmp_path}/"), names)
        arm, token = names["page"]("u-1")
        assert post(f"{url}/v1/experiments/top-button/decide", {"unit": "u-1"})["slate"][0][
            "arm"
        ] in {arm}
        assert token
        assert names["croupier"].flush(5)
        assert _page(url)["open"] == 1
        example = ROOT / "examples" / "02_in_process.py"
        said = shell(tmp_path, f"{sys.executable} {example} croupier.db {url} 200")
        counted = dict(line.split() for line in said.splitlines() if len(line.split()) == 2)
        assert counted["events_accepted"] == counted["events_queued"]
        assert (counted["decided"], counted["defaulted"]) == ("200", "0")
    assert names["page"]("u-1")[0] == arm
    names["croupier"].close()
    told = re.findall(r"`(\w+)`", (ROOT / page).read_text("utf-8"))
    assert {"looks", "looks_failed", "look_age_ms", "is_degraded"} <= {*told, *counted} & {*told}


@pytest.mark.documents
def test_the_button_of_the_examples(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML + QUICK.replace("100ms", "1s"))
    example = ROOT / "examples" / "01_button.py"
    with server(tmp_path) as url:
        said = shell(tmp_path, f"{sys.executable} {example} {url} 200")
        counted = dict(line.split() for line in said.splitlines() if len(line.split()) == 2)
        assert counted["events_accepted"] == counted["events_queued"]
        decided = int(counted["decided"])
        assert decided + int(counted["defaulted"]) == 200
        assert decided > 100
        time.sleep(3.5)
        assert _page(url)["observations"] == decided


@pytest.mark.documents
def test_a_reward_is_changed_and_refilled_as_told(tmp_path: Path) -> None:
    page = "docs/howto/change-a-reward.md"
    (tmp_path / "croupier.toml").write_text(README_TOML + QUICK)
    with server(tmp_path) as url:
        _one_trial(url, "click", "enrol")
    (tmp_path / "croupier.toml").write_text(blocks(page, "toml")[0] + QUICK)
    look, fill, versions = blocks(page, "sh")
    assert "the next start declares: reward (reward version 2" in shell(tmp_path, look)
    dry = shell(tmp_path, fill.strip().replace(" --write", " || [ $? = 1 ]"))
    assert "sums would be added" in dry
    assert "reward version 2" not in shell(tmp_path, versions)
    assert "sums were added" in shell(tmp_path, fill)
    with server(tmp_path) as url:
        found = _page(url)
        told = shell(tmp_path, versions)
    assert found["reward_version"] == 2
    assert sum(arm["reward_sum"] for arm in found["arms"]) == 6.0
    assert [f"reward version {version}, from" in told for version in (1, 2)] == [True, True]
    assert "reward version 2 filled from the past" in told


@pytest.mark.documents
def test_estimates_are_read_as_told(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML + QUICK)
    (script,) = blocks("docs/howto/read-the-estimates.md", "sh")
    with server(tmp_path) as url:
        _one_trial(url, "click")
        assert "no verdict yet" in shell(tmp_path, script)


@pytest.mark.documents
def test_a_backup_is_restored_as_told(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML + QUICK)
    save, restore, check = blocks("docs/howto/back-up-and-restore.md", "sh")
    with server(tmp_path) as url:
        _one_trial(url, "click")
        shell(tmp_path, save)
        before = _counted(url)
        lost = _one_trial(url, "click")
    for file in tmp_path.glob("croupier.db*"):
        file.unlink()
    shell(tmp_path, restore)
    told = shell(tmp_path, check)
    assert "the stored sums are what the log says" in told
    assert "click " in told.splitlines()[-1]
    with server(tmp_path) as url:
        assert _counted(url) == before
        assert post(f"{url}/v1/events", [{"kind": "click", "token": lost}])["accepted"] == 1
        _one_trial(url, "click")


@pytest.mark.documents
def test_the_log_is_read_as_told(tmp_path: Path) -> None:
    page = "docs/howto/read-the-log.md"
    (tmp_path / "croupier.toml").write_text(README_TOML + QUICK)
    newest, topics, some, explain = blocks(page, "sh")
    with server(tmp_path) as url:
        tracking_id = _decided(_one_trial(url, "click"))
        assert len(shell(tmp_path, newest).splitlines()) == 2
        told = shell(tmp_path, topics).splitlines()
        assert len(told) == 2 + 1 + 1 + 2
        assert len(shell(tmp_path, some).splitlines()) == 4
        told = shell(tmp_path, f"TRACKING_ID={tracking_id}\n{explain}").splitlines()
    shown = blocks(page, "text")[1].splitlines()
    assert [line.split()[0] for line in told if line[0] != " "] == [
        line.split()[0] for line in shown if line[0] != " "
    ]
    assert told[-1] == shown[-1]


@pytest.mark.documents
def test_arms_are_taken_from_a_table_as_told(tmp_path: Path) -> None:
    page = "docs/howto/take-arms-from-a-table.md"
    (tmp_path / "croupier.toml").write_text(blocks(page, "toml")[0])
    (table,) = blocks(page, "csv")
    (tmp_path / "candidates.csv").write_text(table)
    (script,) = blocks(page, "sh")
    with server(tmp_path) as url:
        assert {arm["arm"] for arm in _page(url)["arms"]} == {
            "install", "free-trial", "see-recipes",
        }  # fmt: skip
        (tmp_path / "candidates.csv").write_text(table + "start-now,yes,\n")
        told = shell(tmp_path, re.sub(r"(?m)$", f" --server {url}", script.strip()))
        assert "would be put: start-now" in told
        assert "  put: start-now" in told
    assert "4 rows in candidates.csv" in shell(tmp_path, "croupier doctor")


@pytest.mark.documents
def test_it_is_kept_running_as_told(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML)
    plain, notified = blocks("docs/howto/keep-it-running.md", "sh")
    for script, ending in ((plain, ""), (notified, " --port 0")):
        ready = script.strip().replace("supervise ", "supervise --json ") + ending
        ready = ready.replace("croupier.db", "croupier.db --port 0")
        with subprocess.Popen(
            ["bash", "-c", f"exec {ready}"],
            cwd=tmp_path,
            env=os.environ | {"PATH": PATH},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            events = (json.loads(line)["event"] for line in process.stdout)
            assert next(event for event in events if event != "started") == "well"
            process.send_signal(signal.SIGTERM)
            assert list(events) == ["stopped"]
            assert process.wait(timeout=20) == 0


@pytest.mark.documents
def test_arms_are_changed_as_told(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(README_TOML)
    (script,) = blocks("docs/howto/change-the-arms.md", "sh")
    with server(tmp_path) as url:
        told = shell(tmp_path, re.sub(r"(?m)$", f" --server {url}", script.strip()))
        assert "version 7: remove see-recipes" in told
        assert len(_page(url)["arms"]) == 4


@pytest.mark.documents
def test_keys_are_made_and_used_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "docs/howto/keys-and-limits.md"
    monkeypatch.delenv("CROUPIER_API_KEY", raising=False)
    (tmp_path / "croupier.toml").write_text("\n".join([README_TOML, *blocks(page, "toml")]))
    make, declare, change = blocks(page, "sh")
    shell(tmp_path, make)
    assert shell(tmp_path, declare) == "web-backend: decide\n"
    (example,) = json.loads(blocks(page, "json")[0])
    assert set(PlainReport.__struct_fields__) >= set(example)
    with server(tmp_path) as url:
        here = re.sub(r"(?m)^(croupier \w+)", rf"\1 --server {url}", change)
        told = shell(tmp_path, here)
        assert "ops (ana)  top-button: pause install" in told
        key = (tmp_path / "web-backend.key").read_text().splitlines()[0]
        names: dict[str, Any] = {"KEY": key}
        exec(blocks(page, "python")[0].replace("http://localhost:8080", url), names)
        names["croupier"]._timeout = 5.0
        assert not names["croupier"].decide("top-button", "u").is_default
        names["croupier"].close()


@pytest.mark.documents
def test_a_policy_is_tested_on_a_log_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "docs/howto/test-a-policy-on-your-log.md"
    rounds, pages = blocks(page, "python")
    check, asked, own, ranked = blocks(page, "sh")
    monkeypatch.chdir(tmp_path)
    exec(rounds, {})
    exec(pages, {})
    assert "1.000×" in shell(tmp_path, check)
    told = shell(tmp_path, asked)
    found = json.loads(next(line for line in told.splitlines() if line.startswith("{")))
    assert found["estimates"]["dr"]["low"] < 0.12 < found["estimates"]["dr"]["high"]
    assert "bold" in (tmp_path / "bold.svg").read_text()
    slates = json.loads(shell(tmp_path, f"{ranked.strip()} --json").splitlines()[-1])["estimates"]
    assert set(slates) == {"item_position", "cascade", "cascade_dr"}
    assert slates["item_position"]["low"] < 0.5 < slates["item_position"]["high"]
    (tmp_path / "croupier.toml").write_text(README_TOML + QUICK)
    with server(tmp_path) as url:
        _one_trial(url, "click")
        refused = shell(tmp_path, f"{own.strip()} || [ $? = 1 ]")
    assert "effective sample size" in refused


@pytest.mark.documents
def test_topics_are_mapped_as_told(tmp_path: Path) -> None:
    page = "docs/howto/map-your-topics.md"
    mapping, each, decision = blocks(page, "toml")
    experiment = README_TOML.replace(
        "click = 1.0", 'purchase = { weight = 0.01, of = "value", max = 500 }'
    )
    toml = tmp_path / "croupier.toml"
    toml.write_text(experiment + mapping)
    (records,) = blocks(page, "json")
    check, with_keys = blocks(page, "sh")
    with server(tmp_path) as url:
        decided = post(f"{url}/v1/experiments/top-button/decide", {"unit": "u-1"})
    (tmp_path / "records.jsonl").write_text(records.replace("TOKEN", decided["token"]))
    shown = next(block for block in blocks(page, "text") if "skipped (kind)" in block)
    told = shell(tmp_path, f"{check.strip()} || [ $? = 1 ]")
    assert told.replace(decided["token"], "AQEB…") == shown
    told = shell(tmp_path, f"{with_keys.strip()} || [ $? = 1 ]")
    arm = decided["slate"][0]["arm"]
    assert told.startswith(f"   1  purchase     {arm}  value 12.5  id 7  top-button")
    head = '\n[[source]]\nname = "other"\ntopic = "other"\nkind = "purchase"\n'
    assert parse_settings(f'{experiment}{head}token = "t"\n{each}').sources[0].each == "seen"
    named = (head + decision).replace("mail-subject", "top-button")
    assert parse_settings(experiment + named).sources[0].decision is not None


def _one_trial(url: str, *kinds: str) -> str:
    before = _page(url)["observations"]
    token = post(f"{url}/v1/experiments/top-button/decide", {"unit": f"u-{before}"})["token"]
    events = [{"kind": kind, "token": token} for kind in ("impression", *kinds)]
    assert post(f"{url}/v1/events", events)["accepted"] == len(events)
    while _page(url)["observations"] == before:
        pass
    return str(token)


def _counted(url: str) -> list[Any]:
    """What must survive a restore: trials and rewards, arm by arm."""
    page = _page(url)
    return [page["observations"], *((arm["n"], arm["reward_sum"]) for arm in page["arms"])]


def _decided(token: str) -> str:
    """The tracking id inside a token."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[2:17].hex()


def _page(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/v1/experiments/top-button", timeout=10) as answer:
        return json.load(answer)


SETTINGS = {
    *Experiment.__struct_fields__,
    *Server.__struct_fields__,
    *LogTable.__struct_fields__,
    *LimitsTable.__struct_fields__,
    *ApiKey.__struct_fields__,
    API_KEYS,
    *Term.__struct_fields__,
    *Candidates.__struct_fields__,
    *Columns.__struct_fields__,
    *(field for table in (Source, Stated, Moment, Word) for field in table.__struct_fields__),
    *POLICIES,
    *(field for policy in POLICIES.values() for field in policy.__struct_fields__),
    TOKEN_KEYS,
    UNIT_KEY,
}


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_every_setting_is_documented(setting: str) -> None:
    reference = (ROOT / "docs/reference/croupier-toml.md").read_text(encoding="utf-8")
    assert re.search(rf"`[^`]*\b{setting}\b[^`]*`", reference)


def test_the_reference_gives_the_defaults_that_hold() -> None:
    table = (ROOT / "docs/reference/croupier-toml.md").read_text(encoding="utf-8")
    text = "\n".join(
        f"{key} = {default}"
        for key, default in re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", table, re.MULTILINE)
        if key in Experiment.__struct_fields__
    )
    tables = {"candidates", "guardrail", "diversity", "surrogate"}  # have tables of their own
    least = README_TOML.split("default")[0] + 'default = "install"\nreward = { click = 1.0 }\n'
    written = parse_settings(least + text).experiments[0]
    assert written == parse_settings(least).experiments[0]
    assert len(tomllib.loads(text)) == len(
        [
            field
            for field in msgspec.structs.fields(Experiment)
            if field.required is False and field.name not in tables
        ]
    )


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    }
    assert not {name for name in names - {"version"} if f"croupier {name}" not in text}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_document_is_listed_by_task() -> None:
    text = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert len(links) == len(set(links)), "listed twice"
    listed = {(ROOT / "docs" / link).resolve() for link in links}
    assert not set((ROOT / "docs").glob("**/*.md")) - listed - {ROOT / "docs/index.md"}
