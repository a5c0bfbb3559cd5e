import gc
import inspect
import json
import shlex
import sys

from lpi.baselines import design as baselines
from lpi.config import SETTINGS, ConfigError
from lpi.config_keys import CONVENTIONS, GAP, JUDGED, TRUTHS
from lpi.experiment import load
from lpi.memory import LIMIT_VARIABLE
from lpi.multiverse.design import load as load_multiverse
from lpi.provenance import package_files
from lpi.runs import TIMEFORMAT
from lpi.stale_locks import release
from lpi.studies.design import CHOSEN, STUDIES
from snakemake.common import overwrite_function_params


# The functions of the rules, by topic.  `snakemake --lint` wants no functions in the files of the rules.
include: "common/train.smk"
include: "common/notebooks.smk"
include: "common/publish.smk"
include: "common/targets.smk"
include: "common/handlers.smk"


# Modules behind each command, beside what they import themselves.
COMMANDS = {
    "train": [
        *["cli", "progress", "memory", "spreading", "epidemic", "algorithm", "least_squares"],
        *["solvers.joint_values", "simulation", "reference", "results"],
    ],
    "reference": ["cli", "spreading", "epidemic", "reference"],
    "aggregate": ["cli", "joining"],
    "optima": ["cli", "truth.ground_truth", "spreading", "epidemic", "truth.tables"],
    "locality": ["cli", "truth.ground_truth", "spreading", "truth.tables"],
    "acting": ["cli", "truth.ground_truth", "spreading", "truth.tables"],
    "notebook": ["cli", "notebook", "plotting", "summary", "findings", "truth.figures", "truth.findings"],
    "summary": ["cli", "notebook", "summary", "findings", "claims.report"],
    "claims_notebook": ["cli", "notebook", "plotting", "claims.plot", "claims.report"],
    "publish": ["provenance"],
    "theory": ["cli", "theory.table"],
    "theory_notebook": ["cli", "notebook", "plotting", "theory.report"],
    "scaling_notebook": ["cli", "notebook", "plotting", "scaling"],
    "claims": ["claims.judge"],
    "verify": ["verify"],
    "report": ["report.__main__"],
    "gallery": ["gallery"],
    "crate": ["crate"],
    "studies_run": [
        *["studies.run", "spreading", "algorithm", "least_squares", "simulation"],
        *["solvers.local_optimum", "studies.td_limit", "results"],
    ],
    "baseline_run": [
        *["baselines.compare", "baselines.actor_critic", "algorithm", "solvers.joint_values", "exact"],
        *["spreading", "studies.run"],
    ],
    "baseline_report": ["baselines.report", "plotting"],
    "studies_report": ["studies.results", "studies.text"],
    "studies_notebook": ["cli", "notebook", "studies.plot"],
    "multiverse_train": [
        *["cli", "multiverse.design", "memory", "spreading"],
        *["algorithm", "least_squares", "solvers.joint_values", "simulation"],
    ],
    "multiverse_verdicts": ["cli", "multiverse.verdicts", "exact", "policy", "spreading"],
    "multiverse_effects": ["cli", "multiverse.effects"],
    "multiverse_notebook": ["cli", "notebook", "multiverse.plot", "multiverse.text"],
}

MODELLED = ("train", "reference", "optima", "locality", "acting", "theory")
"""The commands that make the environment of a reading."""


def checked_experiment(config):
    """The experiment that the config describes; a mistake in it ends the program with one line, before any job.

    Not `snakemake.utils.validate`: jsonschema takes 0.9 s to import and needs many lines to say what is wrong.  The
    schema in workflow/schemas serves editors and readers; the tests hold it to these checks.
    """
    try:
        return load(config)
    except ConfigError as error:
        refuse_config(error)


def checked_multiverse(path):
    """The design of the multiverse; a mistake in it ends the program with one line too."""
    try:
        return load_multiverse(path)
    except ConfigError as error:
        refuse_config(error)


def refuse_config(error):
    """One line and exit status 2, as `lpi` ends on bad input; what PyYAML says of a broken file has several lines."""
    print(f"config: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)


def source_files(wildcards):
    """The package files that a command runs, and what settings name beside them."""
    read = EXPERIMENT.files if wildcards.command in MODELLED else ()
    learned = EXPERIMENT.policy_evaluations if wildcards.command == "train" else ()
    return [*package_files(*COMMANDS[wildcards.command]), *read, *learned]


def options_of(assignments, reading=None):
    """Settings that differ from a shipped reading, or a reading of one's own, as options of the command line."""
    options = " ".join(f"--set {shlex.quote(text)}" for text in assignments)
    return f"--custom {options}" if reading in EXPERIMENT.custom_readings else options


def training_options(reading):
    """How the runs differ from the shipped reading of that name, as options of `lpi train`."""
    return options_of(EXPERIMENT.assignments(reading), reading)


def overrides(wildcards):
    return OVERRIDES[wildcards.reading]


def environment_overrides(wildcards):
    """`overrides` of the environment alone: another step size leaves the optimum as it is."""
    return options_of(EXPERIMENT.environment_assignments(wildcards.reading), wildcards.reading)


def is_ours(function):
    """Whether a function of the workflow's names, which are also Snakemake's own, is one of this file or of common/."""
    return function.__code__.co_filename.startswith(is_ours.__code__.co_filename.removesuffix(".smk"))


def theory_settings():
    """What the theory table is made for: settings off their defaults, but for what tells the two conventions apart."""
    return {
        key: value
        for key, value in EXPERIMENT.settings.items()
        if key not in ("p1_means", "p2_means") and value != SETTINGS[key].default
    }


def theory_options(wildcards):
    """The settings of the theory table as options of `lpi theory`."""
    return " ".join(f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in theory_settings().items())


def shared_tables(wildcards):
    """The tables that all readings share, for a reading in whose environment they were computed."""
    convention = EXPERIMENT.convention(wildcards.reading)
    if convention is None:
        return {}
    return {truth: f"{EXPERIMENT.results_folder}/{truth}/{'_'.join(convention)}.csv" for truth in TRUTH_TABLES}


def shared_options(wildcards):
    """The same as options of lpi.claims.judge."""
    tables = shared_tables(wildcards)
    if not tables:
        return ""
    options = " ".join(f"--{truth} {shlex.quote(path)}" for truth, path in tables.items())
    return f"--convention {','.join(EXPERIMENT.convention(wildcards.reading))} {options}"


# The jobs of a large grid are millions of objects that all stay: looking for garbage among them so often would take a
# quarter of Snakemake's time.  What is loaded by now stays anyway.
gc.freeze()
gc.set_threshold(1_000_000, 50, 100)

EXPERIMENT = checked_experiment(config)
NOTEBOOKS = [*EXPERIMENT.figures, "summary", GAP, JUDGED]
DRAWN = [*EXPERIMENT.figures, *TRUTHS, JUDGED]
TRUTH_TABLES = ["locality", "acting"]
MEANINGS = ["_".join(means) for means in CONVENTIONS]
SHARED_ENVIRONMENT = options_of(EXPERIMENT.environment_assignments())
BASELINE_KAPPAS = baselines.KAPPAS
STUDY_TABLES = [
    *expand("{table}.csv", table=["levels", "contrasts", "between_kappas", "prices", "effects", "visits", "loops"]),
    "chosen.json",
    "studies.md",
]
MULTIVERSE_FILE = EXPERIMENT.multiverse
MULTIVERSE = checked_multiverse(MULTIVERSE_FILE)
MULTIVERSE_AGENTS = [block.agents for block in MULTIVERSE.blocks]
MULTIVERSE_TABLES = [
    *["verdicts.csv", "effects.csv", "best_match.json"],
    *expand("finals_n{agents}.csv", agents=MULTIVERSE_AGENTS),
]
OVERRIDES = {reading: training_options(reading) for reading in EXPERIMENT.readings}
TRAINING = training_rules()

# Held as long as this call lives: the locks that a killed one left do not stop the next.
ALIVE = release(".snakemake") if workflow.is_main_process else None

# Snakemake asks for the arguments of these functions a dozen times a job.
for function in [value for value in globals().values() if inspect.isfunction(value) and is_ours(value)]:
    overwrite_function_params(function, inspect.signature(function).parameters)

# A job has one core: the libraries beneath it must not start a thread for each core of the machine.  `python` is this
# interpreter, whether or not its virtual environment is activated; with --sdm it is that of the job's environment.
# None of this belongs in params: a job need not run again because of it.  Each command leaves its CPU time in the log.
# Memory that the exact evaluation gives back is kept: to get it from the system again takes a tenth of its time (glibc)
ENVIRONMENT = (
    "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1"
    " MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000"
    f" {LIMIT_VARIABLE}={EXPERIMENT.memory_limit_gb}; TIMEFORMAT={shlex.quote(TIMEFORMAT)}; "
)
THIS_PYTHON = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")
INTERPRETER = "command python" if workflow.deployment_settings.deployment_method else THIS_PYTHON
shell.prefix(f'{ENVIRONMENT}python() {{{{ time {INTERPRETER} "$@"; }}}}; ')
