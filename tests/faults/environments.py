"""Two fresh clones, a virtual environment made in each, the quick configuration run in both, their results compared.

The second run has other cores, and computes as an older processor would (`tests/older_processor.py`).

`python tests/faults/environments.py FOLDER` writes how many files of each kind have the same bytes into
tests/faults/environments.csv, and names each one that differs; its exit status is 1 if a table or figure does.  FOLDER
must not exist.  The clones are of the last commit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from table import COMPARED, write

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

import older_processor  # noqa: E402

COLUMNS = ("kind", "files", "same")
CLONES = ("one", "another one")
KINDS = (".csv", ".npz", ".pdf", ".png")
"""What must have the same bytes; other files are compared too, and may name the folder or the commit."""
NOT_RESULTS = ("logs", "benchmarks", "package")


def prepare(folder: Path) -> None:
    """A clone with a virtual environment, as README.md makes it."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    subprocess.run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", ".venv"], cwd=folder, check=True)
    install = [".venv/bin/pip", "install", "--quiet", "-c", "constraints.txt", "-e", "."]
    subprocess.run(install, cwd=folder, check=True)


def run(folder: Path, cores: int, environment: dict[str, str]) -> dict[str, bytes]:
    """Results of the quick configuration by name; environment variables besides those of this process."""
    command = [".venv/bin/snakemake", "--cores", str(cores), "--configfile", "config/quick.yaml"]
    with (folder / "output").open("w") as output:
        given = {**os.environ, **environment}
        subprocess.run(command, cwd=folder, env=given, stdout=output, stderr=subprocess.STDOUT, check=True)
    return {name: (folder / name).read_bytes() for name in files(folder)}


def files(folder: Path) -> list[str]:
    """The results there are, under their names within the folder."""
    found = (path.relative_to(folder) for path in (folder / "results/quick").rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not set(path.parts) & set(NOT_RESULTS))


def compare(one: dict[str, bytes], other: dict[str, bytes]) -> tuple[list[dict], list[str]]:
    """Counts of each kind of file, and the names of those that differ or are in one alone."""
    names = sorted({*one, *other})
    differing = [name for name in names if one.get(name) != other.get(name)]
    total, apart = (Counter(Path(name).suffix for name in group) for group in (names, differing))
    return [{"kind": kind, "files": n, "same": n - apart[kind]} for kind, n in sorted(total.items())], differing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the clones are made")
    parser.add_argument("--cores", type=int, nargs=2, default=(1, 2), help="cores of each run (default: 1 2)")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True)
    for name in CLONES:
        prepare(chosen.folder / name)
    settings = zip(CLONES, chosen.cores, ({}, older_processor.SETTINGS), strict=True)
    one, other = (run(chosen.folder / name, cores, environment) for name, cores, environment in settings)
    rows, differing = compare(one, other)
    write(COMPARED, COLUMNS, rows)
    print(
        *(f"differs: {name}" for name in differing),
        *(f"{n['kind']}: {n['same']} of {n['files']}" for n in rows),
        sep="\n",
    )
    return int(not one or any(name.endswith(KINDS) for name in differing))


if __name__ == "__main__":
    sys.exit(main())
