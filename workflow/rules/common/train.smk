# What the rules in train.smk and aggregate.smk ask for.
import os
import re
import shlex
from functools import cache

from lpi.cluster import training_request
from lpi.experiment import Point


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


@cache
def last_loop(reading):
    """The last loop of the runs of a reading; asked once for all its points."""
    return EXPERIMENT.resolve(reading, EXPERIMENT.points[0]).training.outer_loops


def outer_loops(wildcards):
    """The last loop of each run that is joined: a file that ends before it was cut off."""
    return last_loop(wildcards.reading)


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
