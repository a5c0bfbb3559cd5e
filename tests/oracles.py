"""Slow, literal transcriptions of the paper: what the fast kernels are checked against.

Written from the text of Zhang et al. (2023), with dictionaries and loops, and from nothing in `lpi`: hold a function
against the lines or equations that it names.  From an MDP it reads what the user put in (edges, P_i, r_i, gamma, rho);
from `lpi.evaluation` only the order in which uniform random numbers are consumed, so that trajectories agree exactly.

A joint state or action is a tuple over all agents; s_J, its restriction to a set of agents J, is a shorter tuple with
the agents in ascending order.  A policy is a list of dictionaries, one per agent: s_{N_i^kappa} -> probabilities.  A
truncated Q function is a dictionary: (s_{N_i^beta}, a_{N_i^beta}) -> value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import networkx as nx
import numpy as np

# ---------------------------------------------------------------------------------------------------- section 2.1


def neighbourhoods(mdp, hops: int) -> list[tuple[int, ...]]:
    """N_i^hops of every agent i: the nodes of which the graph distance to i is less than or equal to `hops`."""
    graph = nx.Graph(list(mdp.network.edges))
    graph.add_nodes_from(range(mdp.agents))
    distance = dict(nx.all_pairs_shortest_path_length(graph))
    return [tuple(j for j in range(mdp.agents) if distance[i][j] <= hops) for i in range(mdp.agents)]


def restrict(joint: Sequence[int], members: Sequence[int]) -> tuple[int, ...]:
    """s_J from the global s."""
    return tuple(joint[j] for j in members)


def all_values(sizes: Sequence[int], members: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """Every s_J (or a_J), the last member running fastest; `sizes[j]` is |S_j| (or |A_j|)."""
    return itertools.product(*(range(int(sizes[j])) for j in members))


def extension(members: Sequence[int], local: Sequence[int], default: Sequence[int]) -> tuple[int, ...]:
    """Definition 6, eq. (13)."""
    s = dict(zip(members, local, strict=True))
    return tuple(s[j] if j in s else default[j] for j in range(len(default)))


def policy_dictionaries(mdp, policy) -> list[dict]:
    """A `LocalPolicy` as dictionaries."""
    around = neighbourhoods(mdp, policy.kappa)
    return [
        {s: tuple(float(p) for p in policy.tables[i][s]) for s in all_values(mdp.states, around[i])}
        for i in range(mdp.agents)
    ]


def q_dictionaries(mdp, beta: int, flat: Sequence[float]) -> list[dict]:
    """Q tables of all agents from one number per (i, s_{N_i^beta}, a_{N_i^beta}), actions running fastest."""
    values = iter(flat)
    tables = [
        {(s, a): float(next(values)) for s in all_values(mdp.states, around) for a in all_values(mdp.actions, around)}
        for around in neighbourhoods(mdp, beta)
    ]
    assert next(values, None) is None, "more numbers than table entries"
    return tables


def flat(tables: Iterable[dict]) -> np.ndarray:
    """The values of all dictionaries, one after another."""
    return np.array([value for table in tables for value in table.values()])


# ---------------------------------------------------------------------------------------------------- section 6.1


def spreading_probability(
    s_neighbours: Sequence[int], s_own: int, action: int, target: int, p1, p2, p_eff, p1_means, p2_means
) -> float:
    """P(s_i(t+1) = target | s_{N_i}(t), a_i(t)); `s_neighbours` includes i itself; s_i = 2 s_i^1 + s_i^2."""
    activated_1 = {"failure": 1 - p1, "success": p1}[p1_means]  # the text prints 1 - p_1
    activated_2 = {"failure": 1 - p2, "success": p2}[p2_means]  # the text prints 1 - p_2

    # first[b] is P(s_i^1(t+1) = b), second[b] is P(s_i^2(t+1) = b)
    s_bar_1 = 1 if any(s in (2, 3) for s in s_neighbours) else 0
    first = [1 - activated_1, activated_1] if s_bar_1 == 1 else [1.0, 0.0]

    if s_own in (1, 3):
        p_bar = 1.0
    elif action == 1:
        p_bar = p_eff
    else:
        p_bar = 0.0
    second = [0.0, 0.0]
    for s_bar_2, weight in ((1, p_bar), (0, 1 - p_bar)):
        if s_bar_2 == 1:
            second[1] += weight * activated_2
            second[0] += weight * (1 - activated_2)
        else:
            second[0] += weight
    return first[target // 2] * second[target % 2]


def spreading_reward(state: int, action: int, cost: float) -> float:
    """r_i(s_i, a_i) = r_i^s(s_i^1, s_i^2) + r_i^a(a_i)."""
    s1, s2 = divmod(state, 2)
    r_s = 0 if (s1 == 1 and s2 == 0) else 1
    r_a = 1 if action == 0 else 1 - cost
    return r_s + r_a


# --------------------------------------------------------------------------------- Algorithm 1, lines 2 to 6


def draw(probabilities: Sequence[float], uniform: float) -> int:
    """A value with the given probabilities, by inversion."""
    total = 0.0
    for value, probability in enumerate(probabilities):
        total += probability
        if uniform < total:
            return value
    return len(probabilities) - 1


def rows_of_uniforms(rng: np.random.Generator, agents: int) -> Iterator[list[float]]:
    """Rows of 2n numbers, drawn one row at a time."""
    while True:
        yield rng.random(2 * agents).tolist()


def collect(mdp, policy: list[dict], kappa: int, length: int, rows: Iterator[list[float]]) -> list[tuple]:
    """(s(t), a(t)) for t = 0, ..., length."""
    n = mdp.agents
    around, closest = neighbourhoods(mdp, kappa), neighbourhoods(mdp, 1)

    def actions(s, row):  # line 4
        return tuple(draw(policy[i][restrict(s, around[i])], row[n + i]) for i in range(n))

    component = 0
    if len(mdp.rho.weights) > 1:
        component = draw(mdp.rho.weights, next(rows)[0])
    row = next(rows)
    s = tuple(draw(mdp.rho.marginals[i][component], row[i]) for i in range(n))  # line 2
    record = [(s, actions(s, row))]
    for _ in range(length):  # line 3
        row = next(rows)
        s, a = record[-1]
        following = tuple(draw(mdp.transitions[i][(*restrict(s, closest[i]), a[i])], row[i]) for i in range(n))  # (1)
        record.append((following, actions(following, row)))
    return record


def collect_episodes(mdp, policy, kappa: int, updates: int, episode_length: int, rows) -> list[list[tuple]]:
    """Trajectories of `episode_length` transitions, the last one shorter, `updates` transitions in all."""
    records = []
    while updates > 0:
        records.append(collect(mdp, policy, kappa, min(episode_length, updates), rows))
        updates -= episode_length
    return records


# ---------------------------------------------------------------------------------------------------- Algorithm 2


def entropy(probabilities: Sequence[float]) -> float:
    """-E_{a ~ p} log p(a), nats."""
    return -sum(p * math.log(p) for p in probabilities if p > 0)


def localized_td(
    mdp,
    i: int,
    beta: int,
    records: list[list[tuple]],
    policy: list[dict],
    kappa: int,
    tau: float,
    alpha: Callable[[int, int], float],
    reward_at: str,
    start: dict,
    visits: dict | None = None,
) -> tuple[dict, set, float]:
    """Lines 1 to 5 of Algorithm 2 for agent i; `alpha(k, visit)` is the step size of the k-th update, k = 0, 1, ...,
    which is the visit-th one of its pair since line 1; `visits`, where given, are counts that go on.

    Several records are learned from one after another.  `start` is \\hat Q_i^0 of line 1, `reward_at` the index of the
    reward in line 4: "arrival" for \\hat r_i(t) as printed, "departure" for \\hat r_i(t - 1).

    Returns \\hat Q_i^T, the set of pairs ever updated, and the sum of |TD error|.
    """
    n = mdp.agents
    n_i_beta, n_i_kappa = neighbourhoods(mdp, beta)[i], neighbourhoods(mdp, kappa)[i]
    q = dict(start)  # line 1
    visits = {} if visits is None else visits
    updated, error, k = set(), 0.0, 0
    for record in records:
        pairs = [(restrict(s, n_i_beta), restrict(a, n_i_beta)) for s, a in record]
        r_hat = [  # line 2
            float(mdp.rewards[i][s[i], a[i]]) + n * tau * entropy(policy[i][restrict(s, n_i_kappa)]) for s, a in record
        ]
        for t in range(1, len(record)):  # line 3
            reward = {"arrival": r_hat[t], "departure": r_hat[t - 1]}[reward_at]
            target = reward + mdp.gamma * q[pairs[t]]
            error += abs(target - q[pairs[t - 1]])
            visits[pairs[t - 1]] = visits.get(pairs[t - 1], 0) + 1
            step = alpha(k, visits[pairs[t - 1]])
            q[pairs[t - 1]] = (1 - step) * q[pairs[t - 1]] + step * target  # line 4
            updated.add(pairs[t - 1])
            k += 1
    return q, updated, error


def line_6(mdp, i: int, beta: int, q: dict, policy: list[dict], kappa: int, tau: float, default_state) -> dict:
    """Line 6 of Algorithm 2; where kappa > beta the pair lacks a part of s_{N_i^kappa}, which takes the default."""
    n_i_beta, n_i_kappa = neighbourhoods(mdp, beta)[i], neighbourhoods(mdp, kappa)[i]
    result = {}
    for s, a in q:
        seen = restrict(extension(n_i_beta, s, default_state), n_i_kappa)
        result[s, a] = q[s, a] - mdp.agents * tau * entropy(policy[i][seen])
    return result


# -------------------------------------------------------------------------------------------- equations (11), (12)


def aggregated_q(mdp, i: int, kappa: int, beta: int, q: list[dict], default_state, default_action) -> dict:
    """(11): (s_{N_i^kappa}, a_{N_i^kappa}) -> Q^i; the action of i is among a_{N_i^kappa}.

    With beta < kappa some \\hat Q_j do not take a_i at all; they are read where the formula leaves them defined.
    """
    n_i_kappa, outer = neighbourhoods(mdp, kappa)[i], neighbourhoods(mdp, beta)
    result = {}
    for s in all_values(mdp.states, n_i_kappa):
        for a in all_values(mdp.actions, n_i_kappa):
            s_bar = extension(n_i_kappa, s, default_state)
            a_bar = extension(n_i_kappa, a, default_action)
            total = sum(q[j][restrict(s_bar, outer[j]), restrict(a_bar, outer[j])] for j in n_i_kappa)
            result[s, a] = total / mdp.agents
    return result


def improve(
    mdp, kappa: int, beta: int, q: list[dict], policy: list[dict], eta, tau, steps: int, default_state, default_action
) -> list[dict]:
    """Lines 8 to 10 of Algorithm 1: `steps` updates (12) from `policy`, \\hat pi^0, all agents at once."""
    around = neighbourhoods(mdp, kappa)
    q_i = [aggregated_q(mdp, i, kappa, beta, q, default_state, default_action) for i in range(mdp.agents)]
    pi = policy
    for _ in range(steps):
        following = []
        for i in range(mdp.agents):
            others = [j for j in around[i] if j != i]
            updated = {}
            for s in all_values(mdp.states, around[i]):
                s_bar = extension(around[i], s, default_state)
                numerators = []
                for a_i in range(int(mdp.actions[i])):
                    expectation = 0.0
                    for a_others in all_values(mdp.actions, others):
                        a = dict(zip(others, a_others, strict=True)) | {i: a_i}
                        weight = math.prod(pi[j][restrict(s_bar, around[j])][a[j]] for j in others)
                        expectation += weight * q_i[i][s, tuple(a[j] for j in around[i])]
                    numerators.append(pi[i][s][a_i] ** (1 - eta * tau) * math.exp(eta * expectation))
                z = sum(numerators)
                updated[s] = tuple(value / z for value in numerators)
            following.append(updated)
        pi = following
    return pi


# ---------------------------------------------------------------------------------------------------- Algorithm 1


def localized_policy_iteration(mdp, config, q_start: float, rng: np.random.Generator) -> tuple[list[dict], float, int]:
    """Algorithm 1 with the choices of a `TrainingConfig`: the last policy, the last loop's mean |TD error|, and the
    number of Q table entries ever updated.

    Where Q is carried over, the values before line 6 of Algorithm 2 are: line 4 goes on from them.
    """
    n, kappa = mdp.agents, config.kappa
    beta = kappa if config.beta is None else config.beta
    episode_length = config.episode_length or config.trajectory_length
    alpha = {
        "constant": lambda k, visit: config.step_size,
        "decaying": lambda k, visit: config.step_h / (k + config.step_t0),
        "per_visit": lambda k, visit: max(visit**-config.step_power, config.step_smallest),
    }[config.step_schedule]
    default_state, default_action = (
        [value] * n if isinstance(value, int) else value for value in (config.default_state, config.default_action)
    )
    around = neighbourhoods(mdp, kappa)
    uniform = [
        {s: (1 / int(mdp.actions[i]),) * int(mdp.actions[i]) for s in all_values(mdp.states, around[i])}
        for i in range(n)
    ]
    size = sum(
        math.prod(int(mdp.states[j]) * int(mdp.actions[j]) for j in members) for members in neighbourhoods(mdp, beta)
    )
    initial = q_dictionaries(mdp, beta, [q_start] * size)
    policy, q, updated, error, visits = uniform, initial, set(), 0.0, [{} for _ in range(n)]
    for _ in range(config.outer_loops):  # line 1
        rows = rows_of_uniforms(rng, n)
        records = collect_episodes(mdp, policy, kappa, config.trajectory_length, episode_length, rows)  # lines 2 to 6
        if config.q_reset == "every_loop":
            q, visits = initial, [{} for _ in range(n)]
        learned = [  # line 7
            localized_td(
                mdp, i, beta, records, policy, kappa, config.tau, alpha, config.reward_at, q[i], visits[i]
            )
            if config.policy_evaluation == "td0"
            else localized_lstd(mdp, i, beta, records, policy, kappa, config.tau, config.reward_at, q[i])
            for i in range(n)
        ]  # fmt: skip
        q = [table for table, _, _ in learned]
        updated |= {(i, pair) for i in range(n) for pair in learned[i][1]}
        error = sum(total for _, _, total in learned) / (n * config.trajectory_length)
        returned = [line_6(mdp, i, beta, q[i], policy, kappa, config.tau, default_state) for i in range(n)]
        policy = improve(  # lines 8 to 11
            mdp, kappa, beta, returned, uniform if config.inner_start == "uniform" else policy, config.eta, config.tau,
            config.inner_steps, default_state, default_action,
        )  # fmt: skip
    return policy, error, len(updated)


# ------------------------------------------------------------------------- equations (5), (6) and what TD(0) finds


def joint_probability(mdp, s: Sequence[int], a: Sequence[int], following: Sequence[int]) -> float:
    """(1)."""
    closest = neighbourhoods(mdp, 1)
    return math.prod(
        float(mdp.transitions[i][(*restrict(s, closest[i]), a[i], following[i])]) for i in range(mdp.agents)
    )


def pair_chain(mdp, policy: list[dict], kappa: int) -> tuple[list[tuple], np.ndarray]:
    """All z = (s, a) and the transition matrix of z(t) under the policy (Lemma 4); small MDPs only."""
    around = neighbourhoods(mdp, kappa)
    states = list(all_values(mdp.states, range(mdp.agents)))
    actions = list(all_values(mdp.actions, range(mdp.agents)))
    zeta = {
        (s, a): math.prod(policy[i][restrict(s, around[i])][a[i]] for i in range(mdp.agents))
        for s in states
        for a in actions
    }
    z = list(zeta)
    matrix = np.empty((len(z), len(z)))
    for row, (s, a) in enumerate(z):
        probability = {following: joint_probability(mdp, s, a, following) for following in states}
        matrix[row] = [probability[following] * zeta[following, b] for following, b in z]
    return z, matrix


def exact_q(mdp, i: int, policy: list[dict], kappa: int, tau: float) -> dict:
    """Q_i^zeta of (6) for every joint (s, a): V_i^zeta of (5) from its linear system."""
    around = neighbourhoods(mdp, kappa)[i]
    z, matrix = pair_chain(mdp, policy, kappa)
    reward = np.array([float(mdp.rewards[i][s[i], a[i]]) for s, a in z])
    bonus = np.array([mdp.agents * tau * entropy(policy[i][restrict(s, around)]) for s, _ in z])
    # W(s, a): the sum of (5) given s(0) = s and a(0) = a, with the entropy of s in expectation; V_i = E_a W
    w = np.linalg.solve(np.eye(len(z)) - mdp.gamma * matrix, reward + bonus)
    return dict(zip(z, reward + mdp.gamma * matrix @ w, strict=True))


def stationary(matrix: np.ndarray) -> np.ndarray:
    """The stationary distribution of an irreducible chain."""
    size = len(matrix)
    system = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    return np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]


def passed(mdp, policy: list[dict], kappa: int, z: list[tuple], matrix: np.ndarray, length: int) -> np.ndarray:
    """Mean distribution of z(0), ..., z(length - 1) from rho, which has one component."""
    around = neighbourhoods(mdp, kappa)
    here = np.array(
        [
            math.prod(
                float(mdp.rho.marginals[i][0][s[i]]) * policy[i][restrict(s, around[i])][a[i]]
                for i in range(mdp.agents)
            )
            for s, a in z
        ]
    )
    total = np.zeros(len(z))
    for _ in range(length):
        total += here / length
        here = here @ matrix
    return total


def td_limit(
    mdp,
    i: int,
    policy: list[dict],
    kappa: int,
    beta: int,
    tau: float,
    reward_at: str,
    episode_length: int | None = None,
) -> dict:
    """Where lines 1 to 5 of Algorithm 2 converge: line 4 in expectation over the stationary distribution is zero.

    With an episode length, over the pairs that episodes from rho (of one component) pass through.
    """
    n_i_kappa, n_i_beta = neighbourhoods(mdp, kappa)[i], neighbourhoods(mdp, beta)[i]
    z, matrix = pair_chain(mdp, policy, kappa)
    weight = stationary(matrix) if episode_length is None else passed(mdp, policy, kappa, z, matrix, episode_length)
    keys = [(restrict(s, n_i_beta), restrict(a, n_i_beta)) for s, a in z]
    entries = {key: position for position, key in enumerate(dict.fromkeys(keys))}
    r_hat = np.array(
        [
            float(mdp.rewards[i][s[i], a[i]]) + mdp.agents * tau * entropy(policy[i][restrict(s, n_i_kappa)])
            for s, a in z
        ]
    )
    observed = {"arrival": matrix @ r_hat, "departure": r_hat}[reward_at]
    transition, reward, mass = np.zeros((len(entries), len(entries))), np.zeros(len(entries)), np.zeros(len(entries))
    for row, key in enumerate(keys):
        at = entries[key]
        mass[at] += weight[row]
        reward[at] += weight[row] * observed[row]
        for column, following in enumerate(keys):
            transition[at, entries[following]] += weight[row] * matrix[row, column]
    values = np.linalg.solve(np.diag(mass) - mdp.gamma * transition, reward)
    return {key: float(values[at]) for key, at in entries.items()}


# ---------------------------------------------------------------------------------- least-squares TD (Definition 7)


def localized_lstd(
    mdp,
    i: int,
    beta: int,
    records: list[list[tuple]],
    policy: list[dict],
    kappa: int,
    tau: float,
    reward_at,
    start: dict,
) -> tuple[dict, set, float]:
    """LSTD with one feature a pair, by its definition: A = sum phi(z) (phi(z) - gamma phi(z'))^T, b = sum phi(z) r_hat.

    A pair that no transition leaves has no equation and keeps its value.  Returns as `localized_td` does.
    """
    n_i_beta, n_i_kappa = neighbourhoods(mdp, beta)[i], neighbourhoods(mdp, kappa)[i]
    position = {pair: k for k, pair in enumerate(start)}
    matrix, vector, updated, transitions = np.zeros((len(start),) * 2), np.zeros(len(start)), set(), []
    for record in records:
        pairs = [(restrict(s, n_i_beta), restrict(a, n_i_beta)) for s, a in record]
        r_hat = [
            float(mdp.rewards[i][s[i], a[i]]) + mdp.agents * tau * entropy(policy[i][restrict(s, n_i_kappa)])
            for s, a in record
        ]
        for t in range(1, len(record)):
            reward = {"arrival": r_hat[t], "departure": r_hat[t - 1]}[reward_at]
            transitions.append((pairs[t - 1], reward, pairs[t]))
    for z, reward, following in transitions:
        matrix[position[z], position[z]] += 1
        matrix[position[z], position[following]] -= mdp.gamma
        vector[position[z]] += reward
        updated.add(z)
    for z, k in position.items():
        if z not in updated:
            matrix[k, k], vector[k] = 1, start[z]
    q = dict(zip(start, np.linalg.solve(matrix, vector).tolist(), strict=True))
    error = sum(abs(reward + mdp.gamma * q[following] - q[z]) for z, reward, following in transitions)
    return q, updated, error
