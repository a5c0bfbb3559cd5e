"""Where results come from: the package files behind a command; the configuration, and what published them."""

from __future__ import annotations

import argparse
import ast
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from lpi import pages
from lpi.results import atomic_write

PACKAGE = Path(__file__).parent
MAKERS = ("lpi", "notebooks", "workflow", "Snakefile", "config", "constraints.txt")
"""What results are made from; a change in anything else does not make a commit's results doubtful."""

NOTEBOOKS = (".html", ".ipynb")

LIBRARIES = (
    "numpy",
    "numba",
    "llvmlite",
    "networkx",
    "pandas",
    "matplotlib",
    "nbconvert",
    "snakemake",
)


def package_files(*modules: str) -> list[str]:
    """The files of this package that modules need, themselves included: all that they import when they are loaded.

    Relative to the folder that holds the package, sorted.  Imports inside functions are not followed; name those
    modules too.  Snakemake sees no imports: declared as inputs, these files make a job run again when they change.
    """
    found, waiting = set(), [PACKAGE.name, *(f"{PACKAGE.name}.{name}" for name in ("__main__", *modules))]
    while waiting:
        path = _file(waiting.pop())
        if path is None or path in found:
            continue
        found.add(path)
        waiting += _imports(path)
    return sorted(path.relative_to(PACKAGE.parent).as_posix() for path in found)


def record(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Where results come from, ready for JSON; without times and paths.

    The configuration is that of the runs.  Commit and versions are those at publishing: curves trained before and
    still up to date may come from others.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", *MAKERS)
    return {
        "configuration": configuration,
        "published_with": {
            "commit": commit,
            "dirty": None if commit is None else bool(changes),
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        },
    }


def commit_date() -> str | None:
    """When the present commit was made, ISO 8601; None where there is no repository."""
    return _git("show", "--no-patch", "--format=%cI", "HEAD")


def publish(sources: Iterable[str | Path], folder: str | Path, configuration: Mapping[str, Any]) -> None:
    """Copy results into a folder, notebooks and their pages into its subfolder notebooks, and say in provenance.json
    where they come from; each file is complete or not there.  Pages get a link to the one that leads to all."""
    folder = Path(folder)
    for source in map(Path, sources):
        target = folder / "notebooks" / source.name if source.suffix in NOTEBOOKS else folder / source.name
        page = source.suffix == ".html"
        atomic_write(target, pages.published(source.read_text(encoding="utf-8")) if page else source.read_bytes())
    atomic_write(folder / "provenance.json", json.dumps(record(configuration), indent=2, ensure_ascii=False) + "\n")


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """What of this package a file may load; commands share most files, so that each is read once a process."""
    return tuple(name for node in ast.parse(path.read_text(encoding="utf-8")).body for name in _imported(node))


def _imported(node: ast.stmt) -> list[str]:
    """What of this package an import statement may load: modules, the packages above them, and names in them."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = []
    parts = [name.split(".") for name in names]
    return [".".join(part[:end]) for part in parts if part[0] == PACKAGE.name for end in range(2, len(part) + 1)]


def _file(name: str) -> Path | None:
    """The file of a module or package; None for a name that is neither, such as that of a function."""
    stem = PACKAGE.parent.joinpath(*name.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.exists()), None)


def _git(*arguments: str) -> str | None:
    """Output of git in the folder that holds the package; None where there is no repository or no git."""
    try:
        done = subprocess.run(["git", *arguments], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def main(arguments: list[str] | None = None) -> None:
    """`python -m lpi.provenance --folder FOLDER --configuration JSON FILE ...`: publish."""
    parser = argparse.ArgumentParser(prog="python -m lpi.provenance", description=publish.__doc__)
    parser.add_argument("--folder", required=True, help="folder to copy into")
    parser.add_argument("--configuration", required=True, type=json.loads, help="what the results are made from, JSON")
    parser.add_argument("sources", nargs="+", metavar="FILE", help="results to copy")
    options = parser.parse_args(arguments)
    publish(options.sources, options.folder, options.configuration)


if __name__ == "__main__":
    main()
