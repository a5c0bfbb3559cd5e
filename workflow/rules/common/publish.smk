# What is published: from which configuration, and what the report and the gallery show of it.
import hashlib
import json
from pathlib import Path

from lpi.baselines import design as baselines
from lpi.studies.design import STUDIES


def configuration(wildcards):
    """What the results of a reading are made from, as JSON."""
    return json.dumps(EXPERIMENT.configuration(wildcards.reading))


def truth_configuration(wildcards):
    """What the tables that all readings share are made from, as JSON."""
    grid = getattr(EXPERIMENT, wildcards.truth)._asdict()
    return json.dumps({"settings": EXPERIMENT.environment_assignments(), wildcards.truth: grid})


def theory_configuration(wildcards):
    """What the theory table is made from, as JSON."""
    return json.dumps({"settings": theory_settings()})


def baseline_configuration(wildcards):
    """What the comparison with the actor-critic is made from, as JSON."""
    return json.dumps(baselines.configuration())


def studies_configuration(wildcards):
    """What the studies are made from, as JSON."""
    studies = {name: {"settings": study.settings, "variants": study.variants} for name, study in STUDIES.items()}
    return json.dumps({"studies": studies})


def multiverse_configuration(wildcards):
    return json.dumps(MULTIVERSE.configuration())


def quoted_tables(wildcards):
    """Digests of the tables that the report quotes and this workflow's default target does not make.

    Not inputs: a report must not start the multiverse.
    """
    folder = Path(EXPERIMENT.figures_folder)
    made = {*EXPERIMENT.readings, *TRUTH_TABLES, "theory"}
    paths = [path for kind in ("csv", "json", "md") for path in folder.glob(f"*/*.{kind}")]
    quoted = sorted(path for path in paths if path.parent.name not in made and path.name != "runs.csv")
    return [f"{path.as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in quoted]


def published_elsewhere(wildcards):
    """Folders of figures that this workflow's default target does not make: the gallery shows them too."""
    made = {*EXPERIMENT.readings, *TRUTH_TABLES, "theory"}
    folders = {path.parent.name for path in Path(EXPERIMENT.figures_folder).glob("*/provenance.json")}
    return sorted(folders - made)


def report_files():
    """Where the report goes: into docs only from the folder of figures that is committed."""
    folders = ["<results>/report", *(["docs"] if EXPERIMENT.figures_folder == "figures" else [])]
    return [f"{folder}/{page}.md" for folder in folders for page in ("replication-report", "claims", "artifact")]
