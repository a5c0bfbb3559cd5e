import gc
import hashlib
import inspect
import json
import re
import os
import shlex
import sys
from functools import cache
from pathlib import Path

from lpi.baselines import design as baselines
from lpi.clock import set_back
from lpi.cluster import refusal, training_request
from lpi.config import SETTINGS, ConfigError
from lpi.experiment import CONVENTIONS, GAP, JUDGED, TRUTHS, Point, load
from lpi.folders import trouble
from lpi.gallery import TITLES
from lpi.memory import LIMIT_VARIABLE
from lpi.multiverse.design import load as load_multiverse
from lpi.progress import watch
from lpi.provenance import package_files
from lpi.runs import TIMEFORMAT
from lpi.runs import watch as keep_journal
from lpi.stale_locks import release
from lpi.studies.design import CHOSEN, FACTORS, STUDIES
from snakemake.common import overwrite_function_params

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
        *["spreading", "plotting", "studies.run"],
    ],
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
    return [*package_files(*COMMANDS[wildcards.command]), *read]


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
    """Whether a function of the workflow's names, which are also Snakemake's own, is one of this file."""
    return function.__code__.co_filename == is_ours.__code__.co_filename


@cache
def simulated(reading, agents):
    """Whether J is simulated; asked once for all kappa, tau and seeds."""
    return EXPERIMENT.simulated(reading, agents)


def reference_file(wildcards):
    """What the simulations of a training job share; nothing where J is computed exactly."""
    if not simulated(wildcards.reading, int(wildcards.agents)):
        return []
    return "<results>/{reading}/references/n{agents}_tau{tau}.npz"


def reference_option(wildcards, input):
    return f"--reference {shlex.quote(input.reference)}" if input.get("reference") else ""


def seeds_of(wildcards, output):
    """The seeds of a job, by its files: derived from them, so that another batching reruns nothing."""
    return [re.search(r"_seed(\d+)\.csv$", curve)[1] for curve in output.curves]


def joined_runs(wildcards, input):
    """The seeds of a point, for the shell."""
    return abbreviated(input.runs)


def joined_points(wildcards, input):
    """The points of a reading, for the shell."""
    return abbreviated(input.points)


def abbreviated(files):
    """Files that differ in one word only, as one word that bash expands.

    The text of a command is limited to 128 kB, which hold some two thousand names; what it expands to, to 2 MB.
    """
    start, end = os.path.commonprefix(files), os.path.commonprefix([name[::-1] for name in files])[::-1]
    words = [name[len(start) : len(name) - len(end)] for name in files]
    if len(files) < 2 or not all(re.fullmatch(r"[\w.]+", word) for word in words):
        return " ".join(map(shlex.quote, files))
    return f"{shlex.quote(start)}{{{','.join(words)}}}{shlex.quote(end)}"


def training_rules():
    """Batch and seeds of each training rule by its name.

    The number of files that a rule makes is fixed, so each batch needs a rule; jobs of one seed share one, because
    Snakemake looks for the maker of a file among all rules.
    """
    if EXPERIMENT.seeds_per_job == 1:
        return {"train_seed": ("{seed}-{seed}", ["{seed}"])}
    return {f"train_{batch.replace('-', '_')}": (batch, seeds) for batch, seeds in EXPERIMENT.batches.items()}


@cache
def request(reading, agents, kappa):
    """Memory and time of a training job; the same for every tau and batch of seeds, so that large grids stay quick."""
    seeds = max(len(batch) for batch in EXPERIMENT.batches.values())
    return training_request(EXPERIMENT.resolve(reading, Point(agents, kappa, tau=0.0)), seeds)


def training_megabytes(wildcards, attempt):
    """Memory of a training job; a job that was killed asks for more the next time."""
    return attempt * request(wildcards.reading, int(wildcards.agents), int(wildcards.kappa)).megabytes


def training_minutes(wildcards, attempt):
    """Time limit of a training job; one that ran out of it gets more the next time."""
    return attempt * request(wildcards.reading, int(wildcards.agents), int(wildcards.kappa)).minutes


def keep_asking_squeue():
    """Let the Slurm executor go on asking squeue when the scheduler does not answer.

    It asks the scheduler each time how long finished jobs are remembered, takes silence for no time, and from then on
    asks sacct alone, which never answers where there is no accounting (version 2.8.0).
    """
    if workflow.executor_plugin.name == "slurm":
        plugin = sys.modules[workflow.executor_plugin.executor.__module__]
        remembered = plugin.get_min_job_age()
        plugin.get_min_job_age = lambda: remembered


def slurm_refusals():
    """What Slurm has against the jobs of this call, a line for each partition and account; nothing elsewhere.

    The executor plugin says none of this of grouped jobs, and waits for ever where it cannot ask for partitions.
    """
    if workflow.executor_plugin.name != "slurm":
        return []
    jobs = {job.rule.name: job for job in workflow.dag.needrun_jobs() if not job.is_local}
    asked = [(job.resources.get("slurm_partition"), job.resources.get("slurm_account")) for job in jobs.values()]
    found = [refusal(partition, account) for partition, account in dict.fromkeys(asked)]
    return [f"slurm: {reason}" for reason in found if reason]


def report_future_files():
    """Set files from the future to the present: Snakemake would refuse what the jobs of this call make from them."""
    files = {path for job in workflow.dag.jobs for path in (*job.input, *job.output)}
    count, left = set_back(files, ".snakemake")
    if count:
        print(f"{count} files were from the future, as after a clock that was set back: their time is the present now.")
    if left:
        print(f"{left} files are from the future and cannot be set to the present: touch them, or set the clock.")


def figure_parameters(wildcards):
    """What the notebook of a figure is run with, as JSON."""
    return notebook_parameters(wildcards.figure, wildcards.reading)


def summary_parameters(wildcards):
    """What the summary notebook is run with, as JSON."""
    return notebook_parameters("summary", wildcards.reading)


def gap_parameters(wildcards):
    """What the notebook on the optimality gap is run with, as JSON."""
    return notebook_parameters(GAP, wildcards.reading)


def claims_parameters(wildcards):
    """What the notebook of the claims is run with, as JSON."""
    return notebook_parameters(JUDGED, wildcards.reading)


def notebook_parameters(notebook, reading):
    return json.dumps(EXPERIMENT.notebook_parameters(notebook, reading, EXPERIMENT.results_folder))


def shown(path, category, caption, subcategory=None, **labels):
    """An output that `snakemake --report` shows, with a caption from workflow/report."""
    return report(
        path, category=category, subcategory=subcategory, labels=titled(labels), caption=f"../report/{caption}.rst"
    )


def titled(labels):
    """Labels in which a figure or notebook has its title in place of its name; a function of the wildcards."""

    def of(wildcards):
        names = {kind: name.format(**dict(wildcards.items())) for kind, name in labels.items()}
        return {kind: TITLES.get(name, name) for kind, name in names.items()}

    return of


def drawings(folder, names, caption, subcategory):
    """The PNG of each figure, shown, and its PDF; from names to titles."""
    png = [
        shown(f"{folder}/{name}.png", "Figures", caption, subcategory, figure=title) for name, title in names.items()
    ]
    return [*(f"{folder}/{name}.pdf" for name in names), *png]


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


def theory_parameters(wildcards):
    """What the theory notebook is run with, as JSON."""
    folder = f"{EXPERIMENT.results_folder}/theory"
    return json.dumps({"table": f"{folder}/theory.csv", "output": f"{folder}/theory"})


def scaling_parameters(wildcards):
    """What the notebook on growth is run with, as JSON."""
    return json.dumps({"table": "benchmarks/growth.csv", "output": f"{EXPERIMENT.results_folder}/scaling"})


def baseline_configuration(wildcards):
    """What the comparison with the actor-critic is made from, as JSON."""
    return json.dumps(baselines.configuration())


def theory_configuration(wildcards):
    """What the theory table is made from, as JSON."""
    return json.dumps({"settings": theory_settings()})


def study_rows(wildcards):
    """The runs of all studies."""
    return [f"<results>/studies/rows/{name}_kappa{k}.csv" for name, study in STUDIES.items() for k in study.kappas]


def screening_rows(wildcards):
    """The runs that the settings of Figure 7 are chosen from."""
    return [f"<results>/studies/rows/{name}_kappa{k}.csv" for name in FACTORS for k in STUDIES[name].kappas]


def sensitivity_parameters(wildcards):
    """What the notebook of the studies is run with, as JSON."""
    folder = f"{EXPERIMENT.results_folder}/studies"
    return json.dumps({"tables": f"{folder}/report", "output": f"{folder}/notebooks"})


def studies_configuration(wildcards):
    """What the studies are made from, as JSON."""
    studies = {name: {"settings": study.settings, "variants": study.variants} for name, study in STUDIES.items()}
    return json.dumps({"studies": studies})


def configuration(wildcards):
    """What the results of a reading are made from, as JSON."""
    return json.dumps(EXPERIMENT.configuration(wildcards.reading))


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


def truth_configuration(wildcards):
    """What the tables that all readings share are made from, as JSON."""
    grid = getattr(EXPERIMENT, wildcards.truth)._asdict()
    return json.dumps({"settings": EXPERIMENT.environment_assignments(), wildcards.truth: grid})


def verified_panels():
    """The panels that the target verify trains anew; a mistake ends the program with one line, before any job."""
    try:
        return EXPERIMENT.verified
    except ConfigError as error:
        refuse_config(error)


def verified_runs(wildcards):
    """The runs that are held against the committed tables."""
    run = "<results>/verify/{reading}/n{panel[0]}_kappa{kappa}_tau{panel[1]}_seed{seed}.csv"
    grid = dict(reading=EXPERIMENT.readings, panel=verified_panels(), kappa=EXPERIMENT.kappas, seed=EXPERIMENT.seeds)
    return expand(run, **grid)


def verified_optima(wildcards):
    """The optima that are held against the committed tables."""
    optimum = "<results>/verify/{reading}/optimum_n{panel[0]}_tau{panel[1]}.csv"
    return expand(optimum, reading=EXPERIMENT.readings, panel=verified_panels())


def quoted_tables(wildcards):
    """Digests of the tables that the report quotes and this workflow's default target does not make.

    Not inputs: a report must not start the multiverse.
    """
    folder = Path(EXPERIMENT.figures_folder)
    made = {*EXPERIMENT.readings, *TRUTH_TABLES, "theory", "baseline"}
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
# Memory that the exact evaluation gives back is kept: to get it from the system again takes a tenth of its time (glibc).
ENVIRONMENT = (
    "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1"
    " MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000"
    f" {LIMIT_VARIABLE}={EXPERIMENT.memory_limit_gb}; TIMEFORMAT={shlex.quote(TIMEFORMAT)}; "
)
THIS_PYTHON = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")
INTERPRETER = "command python" if workflow.deployment_settings.deployment_method else THIS_PYTHON
shell.prefix(f'{ENVIRONMENT}python() {{{{ time {INTERPRETER} "$@"; }}}}; ')
