"""What a release is made with: the workflows of hosted CI, which no test runs, the citation, the checks of a wheel."""

import importlib.util
import re
from pathlib import Path

import pytest
from wheels import run

import fastdrop as fd

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / ".ci").is_dir():
    pytest.skip("no checkout beside the tests", allow_module_level=True)
yaml = pytest.importorskip("yaml", reason="NOT RUN: no pyyaml")


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["tests", "release"])
def test_a_workflow_is_whole(name):
    jobs = read(f".github/workflows/{name}.yml")["jobs"]
    for job in jobs.values():
        assert job["runs-on"]
        assert set(job.get("needs", [])) <= set(jobs)
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"[\w./-]+@[\w./]+", step.get("uses", "a/b@v1"))


def test_the_release_publishes_what_all_jobs_built():
    workflow = read(".github/workflows/release.yml")
    publish = workflow["jobs"].pop("publish")
    assert set(publish["needs"]) == set(workflow["jobs"])
    assert publish["if"] == "github.ref_type == 'tag'"
    assert publish["permissions"] == {"id-token": "write"}
    assert workflow["permissions"] == {"contents": "read"}


def test_the_linters_are_those_of_the_projects_own_ci():
    own = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    steps = [step["run"] for step in read(".github/workflows/tests.yml")["jobs"]["lint"]["steps"] if "run" in step]
    commands = [command for step in steps for command in step.split(" && ") if "pip" not in command]
    assert len(commands) == 1
    assert [command for command in commands if command not in own] == []


def test_the_citation_is_of_this_release():
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what its format asks for
    assert (citation["version"], citation["license"]) == (fd.__version__, "MIT")


@pytest.mark.parametrize("missing", ["build", "auditwheel"])
def test_a_missing_tool_is_not_a_failure(missing, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else name)
    assert run.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"NOT RUN: wheel: no {missing}",
        f"NOT RUN: imports: no {missing}",
        "0 passed, 0 failed, 2 not run",
    ]
