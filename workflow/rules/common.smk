import gc
import json
import os
import shlex
import sys

from lpi.config import ConfigError
from lpi.experiment import load
from lpi.memory import LIMIT_VARIABLE
from lpi.multiverse import load as load_multiverse
from lpi.provenance import package_files

# Modules behind each command, beside what they import themselves.
COMMANDS = {
    "train": ["cli", "memory", "spreading", "algorithm", "results"],
    "aggregate": ["cli", "results"],
    "notebook": ["cli", "notebook", "plotting", "summary", "findings"],
    "publish": ["provenance"],
    "multiverse_train": ["cli", "multiverse", "memory", "spreading", "algorithm"],
    "multiverse_verdicts": ["cli", "multiverse_verdicts", "exact", "policy", "spreading"],
    "multiverse_effects": ["cli", "multiverse_effects"],
    "multiverse_notebook": ["cli", "notebook", "multiverse_plot", "multiverse_text"],
}


def checked_experiment(config):
    """The experiment that the config describes; a mistake in it ends the program with one line, before any job.

    Not `snakemake.utils.validate`: jsonschema takes 0.9 s to import and needs many lines to say what is wrong.  The
    schema in workflow/schemas serves editors and readers; the tests hold it to these checks.
    """
    try:
        return load(config)
    except ConfigError as error:
        sys.exit(f"config: {error}")


def checked_multiverse(path):
    """The design of the multiverse; a mistake in it ends the program with one line too."""
    try:
        return load_multiverse(path)
    except ConfigError as error:
        sys.exit(f"config: {error}")


def source_files(wildcards):
    """The package files that a command runs."""
    return package_files(*COMMANDS[wildcards.command])


def training_options(reading):
    """How the runs differ from the shipped reading of that name, as options of `lpi train`."""
    assignments = " ".join(f"--set {shlex.quote(text)}" for text in EXPERIMENT.assignments(reading))
    return f"--custom {assignments}" if reading in EXPERIMENT.custom_readings else assignments


def overrides(wildcards):
    return OVERRIDES[wildcards.reading]


def figure_parameters(wildcards):
    """What the notebook of a figure is run with, as JSON."""
    return notebook_parameters(wildcards.figure, wildcards.reading)


def summary_parameters(wildcards):
    """What the summary notebook is run with, as JSON."""
    return notebook_parameters("summary", wildcards.reading)


def notebook_parameters(notebook, reading):
    folder = f"{EXPERIMENT.results_folder}/{reading}"
    return json.dumps(
        EXPERIMENT.notebook_parameters(notebook, reading, f"{folder}/curves.csv", f"{folder}/notebooks/{notebook}")
    )


def configuration(wildcards):
    """What the results of a reading are made from, as JSON."""
    return json.dumps(EXPERIMENT.configuration(wildcards.reading))


def multiverse_fingerprint(wildcards):
    """What a job trains: another value of a setting trains it again, another comment in the design does not."""
    return MULTIVERSE.fingerprint(MULTIVERSE.jobs()[wildcards.job])


def multiverse_jobs(wildcards):
    """The curves of all readings at one number of agents."""
    jobs = [name for name, cases in MULTIVERSE.jobs().items() if cases[0].agents == int(wildcards.agents)]
    return expand("<results>/multiverse/jobs/{job}.csv", job=jobs)


def multiverse_parameters(wildcards, input, output):
    """What the notebook of the multiverse is run with, as JSON."""
    tables = {name: input[name] for name in ("design", "verdicts", "effects", "best")}
    return json.dumps(tables | {"output": os.path.dirname(output.html)})


def multiverse_configuration(wildcards):
    return json.dumps(MULTIVERSE.configuration())


def published_folders():
    return [f"{EXPERIMENT.figures_folder}/{reading}" for reading in EXPERIMENT.readings]


# The jobs of a large grid are millions of objects that all stay: looking for garbage among them so often would take a
# quarter of Snakemake's time.
gc.set_threshold(200_000, 20, 20)

EXPERIMENT = checked_experiment(config)
MULTIVERSE_FILE = EXPERIMENT.multiverse
MULTIVERSE = checked_multiverse(MULTIVERSE_FILE)
MULTIVERSE_AGENTS = [block.agents for block in MULTIVERSE.blocks]
NOTEBOOKS = [*EXPERIMENT.figures, "summary"]
OVERRIDES = {reading: training_options(reading) for reading in EXPERIMENT.readings}

# A job has one core: the libraries beneath it must not start a thread for each core of the machine.  `python` is this
# interpreter, whether or not its virtual environment is activated; with --sdm it is that of the job's environment.
# None of this belongs in params: a job need not run again because of it.
ENVIRONMENT = (
    "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1"
    f" {LIMIT_VARIABLE}={EXPERIMENT.memory_limit_gb}; "
)
INTERPRETER = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")
THIS_PYTHON = f'python() {{{{ {INTERPRETER} "$@"; }}}}; '
shell.prefix(ENVIRONMENT if workflow.deployment_settings.deployment_method else ENVIRONMENT + THIS_PYTHON)
