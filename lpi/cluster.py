"""What a training job asks of a scheduler: memory and time, said before it starts; whether the scheduler takes it."""

from __future__ import annotations

import math
import subprocess
from typing import NamedTuple

from lpi.config import Settings
from lpi.environments import local_sizes
from lpi.memory import exact_memory, training_memory
from lpi.network import Network
from lpi.own_files import is_own

# A scheduler kills what exceeds its request, so these lie above what the shipped readings were measured to take.
FIXED_BYTES = 700_000_000  # the interpreter with its libraries and kernels, and three processes of Snakemake
ALLOWANCE = 1.25  # for what the memory prediction leaves out
FIXED_MINUTES = 5  # imports, and kernels that a node has not compiled yet
UPDATES_PER_SECOND = 5e6  # TD updates on tables beyond the caches
OWN_UPDATES_PER_SECOND = 2e5  # of a policy evaluation of one's own, a loop in Python
IMPROVEMENT_SECONDS = 0.05  # per inner step and 10^9 bytes of tables
EVALUATION_SECONDS = 5e-7  # of an exact evaluation, per joint state
SLOWER = 3  # how much slower a node may be

FOR_EVER = ("invalid partition", "invalid account", "unable to contact")
"""What in sbatch's messages means that waiting will not help."""
PATIENCE = 60  # seconds in which a scheduler answers


class Request(NamedTuple):
    """Megabytes (10^6 bytes) and minutes of one core."""

    megabytes: int
    minutes: int


def training_request(settings: Settings, seeds: int) -> Request:
    """What the training of some seeds, one after another, asks for.

    Both follow n, kappa and beta through the tables' size that `lpi.memory` predicts.
    """
    network, training = Network.named(settings.environment.graph, settings.environment.agents), settings.training
    agents, beta = network.agents, training.kappa if training.beta is None else training.beta
    sizes = local_sizes(settings.environment)
    states, actions = [sizes[0]] * agents, [sizes[1]] * agents
    count = training.step_schedule == "per_visit"
    tables = training_memory(network, states, actions, training.kappa, beta, count)
    joint = sizes[0] ** agents
    evaluated = joint if settings.reporting.exact(joint) else 0
    speed = OWN_UPDATES_PER_SECOND if is_own(training.policy_evaluation) else UPDATES_PER_SECOND
    loop = (
        agents * training.trajectory_length / speed
        + training.inner_steps * tables / 1e9 * IMPROVEMENT_SECONDS
        + evaluated * EVALUATION_SECONDS
    )
    megabytes = (FIXED_BYTES + ALLOWANCE * (tables + exact_memory(evaluated))) / 1e6
    minutes = FIXED_MINUTES + SLOWER * seeds * training.outer_loops * loop / 60
    return Request(math.ceil(megabytes), math.ceil(minutes))


def refusal(partition: str | None = None, account: str | None = None) -> str | None:
    """What Slurm has against any job of this partition and account, in its own words; None if it takes them.

    A trial: nothing is submitted.  What passes, such as nodes that are down at the moment, is no refusal.
    """
    named = {"partition": partition, "account": account}
    options = [f"--{name}={value}" for name, value in named.items() if value]
    command = ["sbatch", "--test-only", "--mem=1", "--time=1", *options, "--wrap=true"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError:
        return "there is no sbatch on this machine"
    except subprocess.TimeoutExpired:
        return f"no answer within {PATIENCE} s"
    lines = [line.removeprefix("sbatch: error: ") for line in done.stderr.splitlines()]
    found = [line for line in lines if any(message in line.lower() for message in FOR_EVER)]
    return found[0] if done.returncode and found else None
