"""What the files for reviewers, users of containers and archives say, held against the repository."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ARTIFACT = "docs/artifact.md"


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def files_named(page):
    """Words in backquotes that look like a path of the repository; commands and what the workflow makes left out."""
    words = (word for word in re.findall(r"`([^`\n]+)`", page) if " " not in word)
    paths = (word for word in words if "/" in word or re.search(r"\w\.\w+$", word) or (ROOT / word).exists())
    return {path for path in paths if not path.startswith("results/")}


def held(path):
    """Whether a path is there from the root or, for a bare name, somewhere among the published results."""
    return (ROOT / path).exists() or ("/" not in path and any((ROOT / "figures").glob(f"*/{path}")))


def directives(dockerfile):
    """The instructions of a container recipe, a pair of keyword and rest each, with continued lines joined."""
    lines = re.sub(r"\\\n", " ", dockerfile).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line and not line.startswith("#")]


def test_a_page_that_names_a_missing_file_is_noticed():
    assert not held("ro-crate.nowhere.json")
    assert files_named("`a b.md` `lpi/none.py` `none.json` `best_match` `results/x`") == {"lpi/none.py", "none.json"}


def test_files_that_the_artifact_page_names_exist():
    named = files_named(text(ARTIFACT))
    assert {"CITATION.cff", "LICENSE", "provenance.json", ".ci/run"} <= named
    assert [path for path in sorted(named) if not held(path)] == []


def test_tests_that_the_artifact_page_speaks_of_are_run_by_ci():
    assert "`snakemake --lint` checked by `.ci/run`" in text(ARTIFACT)
    assert ".venv/bin/snakemake --lint" in text(".ci/run").splitlines()


def test_citation_and_deposit_name_the_same_authors():
    citation, deposit = yaml.safe_load(text("CITATION.cff")), json.loads(text(".zenodo.json"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "version", "license"} <= set(citation)
    assert [author["name"] for author in citation["authors"]] == [who["name"] for who in deposit["creators"]]
    assert citation["authors"][0]["name"] in text("LICENSE")
    assert citation["keywords"] == deposit["keywords"]


def mistake_of(changelog, version):
    """What is wrong with the headings of a changelog; None if nothing is.

    Before the first release there is one heading, Unreleased; then the newest release is the version.
    """
    headings = re.findall(r"^## \[?([^\]\s]+)", changelog, flags=re.MULTILINE)
    releases = [heading for heading in headings if heading != "Unreleased"]
    if not releases:
        return None if headings == ["Unreleased"] else "neither a release nor a heading Unreleased"
    return None if releases[0] == version else f"newest release: {releases[0]}, version: {version}"


def test_a_changelog_that_does_not_know_the_version_is_noticed():
    assert mistake_of("## Unreleased\n", "0.2.0") is None
    assert mistake_of("## Unreleased\n## [0.2.0] - 2027\n## 0.1.0\n", "0.2.0") is None
    assert mistake_of("## 0.2.0\n", "0.2.0") is None
    assert mistake_of("## Unreleased\n## 0.1.0\n", "0.2.0") == "newest release: 0.1.0, version: 0.2.0"
    assert mistake_of("# Changelog\n", "0.2.0") and mistake_of("## 0.1.0\n## 0.2.0\n", "0.2.0")


def test_the_changelog_knows_the_version_or_says_that_there_is_none():
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert mistake_of(text("CHANGELOG.md"), version) is None


@pytest.fixture
def recipe():
    return directives(text("Dockerfile"))


def test_the_container_has_the_python_of_the_conda_environment_and_the_pins(recipe):
    (base,) = (rest for keyword, rest in recipe if keyword == "FROM")
    (python,) = (
        name.removeprefix("python=")
        for name in yaml.safe_load(text("workflow/envs/lpi.yaml"))["dependencies"]
        if isinstance(name, str) and name.startswith("python=")
    )
    assert base == f"python:{python}-slim"
    assert any("pip install" in rest and "-c constraints.txt" in rest for keyword, rest in recipe if keyword == "RUN")


def test_the_container_has_what_the_installation_reads_before_it(recipe):
    installed = next(number for number, (keyword, rest) in enumerate(recipe) if "pip install" in rest)
    copied = {name for keyword, rest in recipe[:installed] if keyword == "COPY" for name in rest.split()[:-1]}
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert {"constraints.txt", "pyproject.toml", "lpi", project["readme"], *project["license-files"]} <= copied


def test_what_builds_the_package_has_one_version():
    """A constraint does not reach it: pip builds apart."""
    requires = tomllib.loads(text("pyproject.toml"))["build-system"]["requires"]
    assert requires and all(re.fullmatch(r"[\w-]+==[\d.]+", name) for name in requires)


def test_the_container_runs_the_first_command_of_the_readme(recipe):
    called = dict(recipe)
    command = " ".join(json.loads(called["ENTRYPOINT"]) + json.loads(called["CMD"]))
    installation = next(line for line in text("README.md").splitlines() if line.startswith("python3 -m venv"))
    assert installation.split(" && ")[-1] == command
