"""What the files around the package promise each other: pins, commands, provenance."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from lpi import provenance

ROOT = Path(__file__).parents[1]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    return {normalized(line.split("==")[0]): line.strip() for line in lines}


def test_constraints_are_names_and_versions():
    lines = text("constraints.txt").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    assert len(pins(lines)) == len(lines)


def test_each_dependency_is_pinned_here_and_in_the_conda_environment():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    pinned = pins(text("constraints.txt").splitlines())
    runtime = {normalized(re.match(r"[\w-]+", name)[0]) for name in project["dependencies"]}
    optional = {normalized(name) for names in project["optional-dependencies"].values() for name in names}
    assert runtime | optional <= set(pinned)
    *_, pip = yaml.safe_load(text("workflow/envs/lpi.yaml"))["dependencies"]
    assert pins(pip["pip"]) == {name: pinned[name] for name in runtime}


def test_ci_runs_the_test_command_of_the_readme_last():
    (command,) = (line for line in text("README.md").splitlines() if line.endswith("-m pytest"))
    assert text(".ci/run").splitlines()[-1] == command


def test_citation_deposit_and_package_agree():
    citation, deposit = yaml.safe_load(text("CITATION.cff")), json.loads(text(".zenodo.json"))
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert citation["version"] == deposit["version"] == project["version"]
    assert citation["license"] == deposit["license"] == project["license"] == "MIT"
    assert text("LICENSE").startswith("MIT License")
    assert citation["title"] == deposit["title"]
    (paper,) = citation["references"]
    (related,) = deposit["related_identifiers"]
    assert paper["doi"] == related["identifier"]


def test_the_workflow_has_the_layout_of_the_catalogue():
    assert 'include: "../Snakefile"' in text("workflow/Snakefile").splitlines()
    assert all((ROOT / name).is_file() for name in ("Snakefile", "config/README.md", "config/config.yaml"))
    usage = yaml.safe_load(text(".snakemake-workflow-catalog.yml"))["usage"]
    assert set(usage) <= {"mandatory-flags", "software-stack-deployment", "report"}
    # paths in the rules hold from the root of a clone alone
    assert "notebooks/{figure}.ipynb" in text("workflow/rules/notebooks.smk")
    assert "in a clone" in usage["mandatory-flags"]["desc"] and "in a clone" in text("config/README.md")


def test_hooks_before_a_commit_are_the_projects_own_tools():
    """No hook is fetched, and each one runs a tool that CI has."""
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    project = tomllib.loads(text("pyproject.toml"))["project"]
    for hook in hooks[0]["hooks"]:
        tool = hook["entry"].removeprefix(".venv/bin/").split()[0]
        assert tool in project["optional-dependencies"]["test"]


def test_package_files_follow_imports():
    files = provenance.package_files("policy")
    names = (
        "__init__",
        "__main__",
        "arrays",
        "cli",
        "config",
        "edge_list",
        "mdp",
        "mistakes",
        "multiverse/__init__",
        "multiverse/cli",
        "network",
        "own_files",
        "policy",
        "readings",
        "results",
        "truth/__init__",
        "truth/commands",
    )
    assert files == sorted(f"lpi/{name}.py" for name in names)
    assert "lpi/summary.py" in provenance.package_files("plotting")
    assert "lpi/algorithm.py" not in provenance.package_files("plotting")


def test_publish_copies_and_records(tmp_path):
    page, book, table = (tmp_path / f"a.{kind}" for kind in ("html", "ipynb", "csv"))
    page.write_text("page", encoding="utf-8")
    book.write_text("notebook", encoding="utf-8")
    table.write_text("table", encoding="utf-8")
    options = ["--folder", str(tmp_path / "to"), "--configuration", '{"seeds": [1]}']
    provenance.main([*options, str(page), str(book), str(table)])
    assert (tmp_path / "to/notebooks/a.ipynb").read_text(encoding="utf-8") == "notebook"
    assert (tmp_path / "to/notebooks/a.html").read_text(encoding="utf-8") == "page"
    assert (tmp_path / "to/a.csv").read_text(encoding="utf-8") == "table"
    record = json.loads((tmp_path / "to/provenance.json").read_text(encoding="utf-8"))
    assert record["configuration"] == {"seeds": [1]}
    assert set(record) == {"configuration", "published_with"}  # the versions are not said to have made the curves
    assert record["published_with"]["versions"]["numpy"] in text("constraints.txt")
    assert str(tmp_path) not in json.dumps(record)


def test_the_record_names_the_commit_and_whether_its_makers_changed(tmp_path):
    shutil.copytree(ROOT / "lpi", tmp_path / "lpi", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "figures").mkdir()

    def git(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    def record():
        script = "import json, lpi.provenance as p; print(json.dumps(p.record({})['published_with']))"
        done = subprocess.run([sys.executable, "-B", "-c", script], cwd=tmp_path, capture_output=True, text=True)
        return json.loads(done.stdout)

    git("init")
    git("add", "lpi")
    git("commit", "-m", "first")
    assert (record()["commit"], record()["dirty"]) == (git("rev-parse", "HEAD").strip(), False)
    (tmp_path / "figures/figure1.png").write_text("", encoding="utf-8")
    assert record()["dirty"] is False
    (tmp_path / "lpi/new.py").write_text("", encoding="utf-8")
    assert record()["dirty"] is True
