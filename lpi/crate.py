"""The published results as an RO-Crate 1.2: what is there, what made it, on what machine, and what its jobs took.

`python -m lpi.crate --figures FOLDER --results RESULTS` writes FOLDER/ro-crate-metadata.json and FOLDER/report/runs.csv.
Each set of results is a Dataset with its files and their digests, made by a CreateAction from the configuration and by
the software that its provenance.json names.  Times are in the action and in runs.csv, failed attempts included if the
results folder has a journal (`lpi.runs`).  Neither names a path outside FOLDER or the host.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import mimetypes
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lpi.provenance import commit_date
from lpi.results import atomic_write
from lpi.runs import COLUMNS, OPEN, Run, runs, totals

NAME = "ro-crate-metadata.json"
LICENCE = "https://spdx.org/licenses/MIT"
PAPER = "https://doi.org/10.1145/3579443"
COMPLETED, FAILED = (f"http://schema.org/{status}ActionStatus" for status in ("Completed", "Failed"))
RUNS = "report/runs.csv"
ALIASES = {"best_local": "locality"}
"""Folders of jobs that are not called as the set that they belong to."""


def build(figures: Path, found: list[Run]) -> dict[str, Any]:
    """The metadata as JSON-LD."""
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.2")
    crate.name = "Localized Policy Iteration: published results of a replication"
    crate.description = "Figures, tables and executed notebooks, by reading of the paper or by target of the workflow."
    crate.license = crate.add_jsonld(
        {"@id": LICENCE, "@type": "CreativeWork", "name": "MIT License", "description": "MIT, as in the file LICENSE"}
    )
    crate.publisher = crate.add_jsonld({"@id": "#maintainers", "@type": "Organization", "name": "The lpi maintainers"})
    crate.datePublished = commit_date() or datetime.now(UTC).date().isoformat()
    crate.root_dataset["isBasedOn"] = {"@id": PAPER}
    crate.add_jsonld({"@id": PAPER, "@type": "ScholarlyArticle", "name": "Global Convergence of Localized Policy "
                      "Iteration in Networked Multi-Agent Reinforcement Learning"})  # fmt: skip
    crate.add_jsonld({"@id": "#machine", "@type": "PropertyValue", "name": "machine", "value": machine()})
    for record in sorted(figures.glob("*/provenance.json")):
        _add_set(crate, figures, record.parent, of_set(found, record.parent.name))
    # Beside the sets: the page that leads to them, and the tables of times, coverage and runs that the report quotes.
    for path in (*figures.glob("index.html"), *sorted((figures / RUNS).parent.glob("*.csv"))):
        _add_file(crate, figures, path)
    crate.root_dataset["mentions"] = crate.get_by_type("CreateAction")
    return crate.metadata.generate()


def of_set(found: Iterable[Run], name: str) -> list[Run]:
    """The runs behind a set, by the names of their jobs."""
    return [run for run in found if name in {ALIASES.get(part, part) for part in Path(run.job).parts}]


def machine() -> str:
    """System, processor and number of its cores; no name of the host."""
    processor = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{platform.system()} {platform.machine()}, {processor or 'unknown processor'}, {os.cpu_count()} cores"


def runs_table(found: list[Run]) -> str:
    """CSV of all attempts; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if value is None else value for value in run] for run in found)
    return text.getvalue()


def _add_set(crate: Any, figures: Path, folder: Path, found: list[Run]) -> None:
    """A dataset and the action that made it."""
    record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    made = record["published_with"]
    dataset = crate.add_dataset(dest_path=folder.name, properties={"name": folder.name})
    dataset["hasPart"] = [
        _add_file(crate, figures, path) for path in sorted(folder.rglob("*")) if path.is_file() and path.name[0] != "."
    ]
    # A revision's Software Heritage identifier is that of git; it holds wherever the repository is.
    software = _add_software(crate, "lpi", made["commit"], f"swh:1:rev:{made['commit']}" if made["commit"] else None)
    software["softwareRequirements"] = [
        _add_software(crate, name, version, f"pkg:{'generic' if name == 'python' else 'pypi'}/{name}@{version}")
        for name, version in made["versions"].items()
        if version
    ]
    properties: dict[str, Any] = {"name": f"making of {folder.name}", "actionStatus": COMPLETED}
    if made.get("dirty"):
        properties["description"] = "Made by that revision with changes that were not committed."
    if found:
        properties["startTime"] = min(run.began for run in found)
        properties["endTime"] = max(run.ended for run in found)
    action = crate.add_action(
        software, identifier=f"#{folder.name}", object=crate.dereference(f"{folder.name}/provenance.json"),
        result=dataset, properties=properties,
    )  # fmt: skip
    # The machine of this publication; curves that were up to date may have been made on another.
    values = [crate.dereference("#machine"), *_totals(crate, folder.name, found)]
    action["additionalProperty"] = values if len(values) > 1 else values[0]
    for run in found:
        if run.status not in ("finished", OPEN):
            _add_failed(crate, software, run)


def _add_failed(crate: Any, software: Any, run: Run) -> None:
    """An action that came to nothing: of a job that failed or was cut short, as Process Run Crate has it."""
    identifier = f"#{run.job}-{run.began}"
    properties = {"name": run.job, "actionStatus": FAILED, "startTime": run.began, "error": run.status}
    if run.seconds is not None:
        properties["endTime"] = run.ended
    action = crate.add_action(software, identifier=identifier, properties=properties)
    if run.cpu_seconds is not None:
        action["additionalProperty"] = _value(crate, f"{identifier}-cpu", "cpu_seconds", run.cpu_seconds)


def _totals(crate: Any, name: str, found: list[Run]) -> list[Any]:
    """What the runs of a set took, as values; nothing where none is known."""
    if not found:
        return []
    return [_value(crate, f"#{name}-{key.replace(' ', '-')}", key, value) for key, value in totals(found).items()]


def _value(crate: Any, identifier: str, name: str, value: float) -> Any:
    """A number with its name, and its unit where it is a time."""
    unit = {"unitCode": "SEC"} if name.endswith("seconds") else {}
    return crate.add_jsonld({"@id": identifier, "@type": "PropertyValue", "name": name, "value": value, **unit})


def _add_software(crate: Any, name: str, version: str | None, url: str | None) -> Any:
    identifier = f"#{name}-{version or 'unknown'}"
    properties = {"@id": identifier, "@type": "SoftwareApplication", "name": name, "version": version or "unknown"}
    return crate.dereference(identifier) or crate.add_jsonld({**properties, "url": url} if url else properties)


def _add_file(crate: Any, figures: Path, path: Path) -> Any:
    content = path.read_bytes()
    kind = "application/x-ipynb+json" if path.suffix == ".ipynb" else mimetypes.guess_type(path.name)[0]
    properties = {
        "name": path.name,
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
        "encodingFormat": kind or "text/plain",
    }
    return crate.add_file(dest_path=path.relative_to(figures).as_posix(), properties=properties)


def main(arguments: list[str] | None = None) -> None:
    """Write the crate's metadata and the table of runs."""
    parser = argparse.ArgumentParser(prog="python -m lpi.crate", description=__doc__.splitlines()[0])
    parser.add_argument("--figures", default="figures", type=Path, help="folder with the published results")
    parser.add_argument("--results", default="results", type=Path, help="results folder, whose journal is read")
    options = parser.parse_args(arguments)
    if not list(options.figures.glob("*/provenance.json")):
        parser.error(f"{options.figures}: no published results")
    found = [run for run in runs(options.results) if run.status != OPEN]  # this job is
    atomic_write(options.figures / RUNS, runs_table(found))
    text = json.dumps(build(options.figures, found), indent=2, ensure_ascii=False)
    atomic_write(options.figures / NAME, text + "\n")


if __name__ == "__main__":
    main()
