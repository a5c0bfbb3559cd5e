"""Algorithm 1: Localized Policy Iteration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lpi.config import ConfigError, ReportingConfig, TrainingConfig
from lpi.elementary import logarithms
from lpi.evaluation import entropies, localized_td, q_tables, visit_steps
from lpi.improvement import aggregated_q, improvement_plan, multiplicative_weights
from lpi.mdp import NetworkedMDP
from lpi.own_files import is_own
from lpi.policy import LocalPolicy, policy_index, uniform_table

if TYPE_CHECKING:
    from lpi.reference import Reference

EXACT_TOLERANCE = 3e-5  # bound on the error of J in a curve; measured errors stay below 1e-5, effects are 1e-3 and more


class LoopRecord(NamedTuple):
    """What is known about the policy of one outer loop; m = 0 is the initial, uniform policy."""

    outer_loop: int
    regularized: float  # J of (2)
    regularized_se: float  # standard error; 0 where the method is exact
    unregularized: float
    unregularized_se: float
    reported: float  # what the setting entropy_weight calls the regularised reward
    reported_se: float
    method: str  # "exact" or "monte_carlo"
    samples: int  # TD updates of each agent so far
    td_error: float  # mean |TD error| of the loop that made this policy; NaN for m = 0
    visited_share: float  # share of all Q table entries that were ever updated
    entropy: float  # mean over agents and policy rows of entropy / log |A_i|


@dataclass(frozen=True)
class TrainingResult:
    """The policy after the last outer loop, and one record for each outer loop."""

    policy: LocalPolicy
    records: tuple[LoopRecord, ...] = field(repr=False)

    @property
    def curve(self):
        """The records as a `pandas.DataFrame`, a row per outer loop."""
        import pandas

        return pandas.DataFrame(self.records)


def train(
    mdp: NetworkedMDP,
    config: TrainingConfig,
    seed: int,
    reporting: ReportingConfig | None = None,
    progress: Callable[[int], None] | None = None,
    known: Reference | None = None,
) -> TrainingResult:
    """Run Algorithm 1 and measure J of every outer loop's policy.

    Args:
        mdp: the networked MDP.
        config: kappa, tau and every choice that the paper leaves open.
        seed: non-negative integer; training and measurement take independent streams from it, so the measured
            quantity never depends on how it is measured.
        reporting: how J is measured; default exact where `exact_states` allows, else by simulation.
        progress: called with m after each outer loop.
        known: `lpi.reference.reference` of the MDP and tau, for simulations; computed where it is not given.

    Returns:
        The final policy and the curve; meant to be the same bytes for the same arguments on any x86-64 processor.

    Raises:
        ConfigError: a default state or action that some agent does not have; a policy evaluation of a user's own that
            fails.
        ValueError: a neighbourhood whose tables no memory holds, or an exact evaluation that does not fit.
    """
    reporting = reporting or ReportingConfig()
    n, kappa = mdp.agents, config.kappa
    beta = kappa if config.beta is None else config.beta
    default_state = _per_agent("default_state", config.default_state, mdp.states)
    default_action = _per_agent("default_action", config.default_action, mdp.actions)
    training_seed, measuring_seed = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(training_seed)
    measure = _measure(mdp, config, reporting, measuring_seed, known)

    model, index = mdp.tables(), policy_index(mdp, kappa)
    start = q_start(mdp, config)
    q = q_tables(mdp, beta, start, count=config.step_schedule == "per_visit")
    plan = improvement_plan(mdp, index, kappa, beta, q, default_state, default_action)
    policy = uniform_table(mdp, kappa)
    uniform_logs = -np.repeat(logarithms(mdp.actions), index.size * mdp.actions)
    logs = uniform_logs
    evaluate = _policy_evaluation(config, model, index, rng)
    most = np.repeat(logarithms(np.maximum(mdp.actions, 2)), index.size)

    def record(m: int, td_error: float) -> LoopRecord:
        entropy = entropies(policy, index, mdp.actions)
        return LoopRecord(  # type: ignore[call-arg]  # what is measured has a fixed length
            m, *measure(policy), m * config.trajectory_length, td_error,
            int(q.visited.sum(dtype=np.int64)) / q.visited.size, float((entropy / most).sum()) / len(most),
        )  # fmt: skip

    records = [record(0, float("nan"))]
    for m in range(1, config.outer_loops + 1):
        if config.q_reset == "every_loop":
            q.values[:] = start
            q.visits[:] = 0
        bonus = n * config.tau * entropies(policy, index, mdp.actions)
        td_error = evaluate(q, policy, bonus)
        logs = uniform_logs if config.inner_start == "uniform" else logs
        policy, logs = multiplicative_weights(
            plan, aggregated_q(plan, q), logs, config.eta, config.tau, config.inner_steps
        )
        records.append(record(m, td_error))
        if progress is not None:
            progress(m)
    return TrainingResult(LocalPolicy.from_flat(mdp, kappa, policy), tuple(records))


def q_start(mdp: NetworkedMDP, config: TrainingConfig) -> float:
    """Start value of the Q tables; "optimistic" is the largest value that they can take before line 6 of Algorithm 2."""
    if config.q_start == "zero":
        return 0.0
    if config.q_start == "optimistic":
        largest = mdp.reward_bound + mdp.agents * config.tau * float(logarithms(mdp.actions).max())
        return largest / (1 - mdp.gamma)
    return float(config.q_start)


def _policy_evaluation(config: TrainingConfig, model, index, rng: np.random.Generator):
    """The subroutine of line 7: function of Q tables (changed in place), flat policy and bonus to the mean |TD error|."""
    length = config.trajectory_length, config.episode_length or config.trajectory_length
    if config.policy_evaluation == "lstd":
        from lpi.least_squares import localized_lstd

        return lambda q, policy, bonus: localized_lstd(model, q, policy, index, bonus, *length, config.reward_at, rng)
    if is_own(config.policy_evaluation):
        from lpi.local_samples import local_samples, localized_own

        return lambda q, policy, bonus: localized_own(
            config.policy_evaluation, local_samples(model, q, policy, index, bonus, *length, config.reward_at, rng)
        )
    step_size = _step_size(config)
    return lambda q, policy, bonus: localized_td(
        model, q, policy, index, bonus, *length, config.reward_at, step_size, rng
    )


def _step_size(config: TrainingConfig):
    """As `localized_td` takes it."""
    if config.step_schedule == "per_visit":
        return visit_steps(config.step_power, config.step_smallest)
    return (config.step_size, None) if config.step_schedule == "constant" else (config.step_h, config.step_t0)


def _per_agent(key: str, value, sizes: np.ndarray) -> list[int]:
    values = list(value) if isinstance(value, tuple) else [value] * len(sizes)
    if len(values) != len(sizes) or any(not 0 <= v < size for v, size in zip(values, sizes, strict=False)):
        raise ConfigError(f"{key}: {value!r} is not allowed; an integer below {sizes.min()}, or {len(sizes)} of them")
    return values


def _measure(
    mdp: NetworkedMDP,
    config: TrainingConfig,
    reporting: ReportingConfig,
    seed: np.random.SeedSequence,
    known: Reference | None,
) -> Callable[[np.ndarray], tuple[Any, ...]]:
    """Function from a flat policy to the measured fields of a record.

    Imports only what it needs: half of a short job is its start.
    """
    share = 1.0 if reporting.entropy_weight == "network" else 1.0 / mdp.agents
    if reporting.exact(mdp.joint_states):
        from lpi.solvers.joint_values import Evaluator

        evaluator = Evaluator(mdp, config.kappa)

        def measure(policy):
            found = evaluator.evaluate(policy, config.tau, EXACT_TOLERANCE)
            reported = found.unregularized + share * (found.regularized - found.unregularized)
            return found.regularized, 0.0, found.unregularized, 0.0, reported, 0.0, "exact"

        return measure
    from lpi.reference import reference
    from lpi.simulation import Simulator, estimate

    known = reference(mdp, config.tau) if known is None else known
    simulator = Simulator(mdp, config.kappa, reporting.evaluation_episodes, seed, known)

    def simulate(policy):
        samples = simulator.samples(policy)
        found, reported = estimate(samples, config.tau), estimate(samples, share * config.tau)
        return (
            found.regularized, found.regularized_se, found.unregularized, found.unregularized_se,
            reported.regularized, reported.regularized_se, "monte_carlo",
        )  # fmt: skip

    return simulate
