"""The right-hand sides of the paper's statements, as printed and corrected.

Printed constants that fail, or whose proof does not cover them, have a second form.  Two changes correct Lemma 9 and
the theorems (those of Lemmas 16, 17 and 21 stand there):

* In the proof of Lemma 9 the own reward r_i(s_i, a_i) is taken not to change when s_i does.  It does, by up to r_bar,
  so that r_bar I + (r_bar + n tau sigma) Z^zeta stands where (r_bar + n tau sigma) Z^zeta is printed, and v' of
  Theorems 1, 2 and 6 becomes r_bar (4 - gamma) / (4 - 5 gamma) instead of r_bar (4 - 3 gamma) / (4 - 5 gamma).
* A decay matrix has bounded rows and columns (Definition 1); the theorems bound the rows of C only.  The corrected
  statements ask for both (`lpi.theory.coupling.Interaction`).

Symbols: nu_q is the paper's v' (decay of Q), nu_policy its v'' (decay of an improved policy); `interaction` is
sup_i sum_j C_ij; `actions` is A_max.  Where gamma >= 0.8 the constants of the theorems do not exist: NaN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

LARGEST_GAMMA = 0.8
LARGEST_INTERACTION = 0.5
NU = 0.5
"""nu of Theorem 6: decay of the policies."""
FORMS = ("printed", "corrected")
FACTOR = {"Theorem 1": 6, "Theorem 6": 6, "Theorem 2": 40}
"""Of tau >= FACTOR v' A_max^2 e."""


class Constants(NamedTuple):
    """What Theorems 1, 2 and 6 define of a problem."""

    nu_q: float  # v': decay of the Q functions
    mu: float  # exponent of the decay
    sigma: float  # regularity of the policies
    least_tau: float  # the smallest tau allowed


def constants(
    theorem: str, r_bar: float, gamma: float, tau: float, agents: int, actions: int, interaction: float, form="printed"
) -> Constants:
    """v', mu, sigma and the smallest tau of Theorem 1, 2 or 6; NaN where gamma >= 0.8.

    sigma is that of Theorem 6, v' / (n tau), or twice that in Theorem 2.
    """
    nu_q = q_decay(r_bar, gamma, form)
    least = FACTOR[theorem] * nu_q * actions**2 * math.e
    first = _log2(tau / least) if least > 0 else math.nan
    second = _log2(LARGEST_INTERACTION / interaction) if interaction > 0 else math.inf
    mu = math.nan if math.isnan(first) else min(first, second)
    sigma = nu_q / (agents * tau) if tau > 0 else math.inf
    return Constants(nu_q, mu, 2 * sigma if theorem == "Theorem 2" else sigma, least)


def q_decay(r_bar: float, gamma: float, form: str = "printed") -> float:
    """v' of Theorems 1, 2 and 6."""
    if gamma >= LARGEST_GAMMA:
        return math.nan
    return r_bar * ((4 - 3 * gamma) if form == "printed" else (4 - gamma)) / (4 - 5 * gamma)


def theorem_1(r_bar: float, gamma: float, mu: float, kappa: int, form: str = "printed") -> float:
    """Largest J(zeta*) - J(truncated zeta*)."""
    return q_decay(r_bar, gamma, form) / (1 - gamma) / (kappa + 1) ** mu


def theorem_2(
    r_bar: float, gamma: float, mu: float, kappa: int, c_pe: float, loops: int, start: float, form: str = "printed"
) -> float:
    """Largest J(zeta*) - J(zeta^M) after `loops` outer loops from a start with ||V - V*|| = `start`."""
    nu_q = q_decay(r_bar, gamma, form)
    return gamma**loops * start + 3 * nu_q / (1 - gamma) ** 2 * improvement_error(nu_q, mu, kappa, c_pe)


def improvement_error(nu_q: float, mu: float, kappa: int, c_pe: float) -> float:
    """(59): largest total variation between the learned policy and the exact improvement."""
    return (4 + c_pe / (2**mu * nu_q)) / (kappa / 2 + 1) ** mu


def theorem_2_beta(nu_q: float, mu: float, kappa: int, c_pe: float, largest_neighbourhood: int) -> float:
    """beta of Theorem 2 (a real number, to be rounded up)."""
    return (kappa + 1) / 2 * (2 * largest_neighbourhood * c_pe / nu_q) ** (1 / mu)


def theorem_2_inner_steps(nu_q: float, mu: float, kappa: int, c_pe: float) -> float:
    """Smallest p_max of Theorem 2; any number of steps will do where it is negative."""
    return -_log2(improvement_error(nu_q, mu, kappa, c_pe) / 3)


def td_exactness(nu_q: float, gamma: float) -> float:
    """c_pe of Theorem 5 for localized TD(0)."""
    return 2 * nu_q / (1 - gamma)


def proposition_2(nu: float, mu: float, beta: int) -> float:
    """Largest |Q_i - truncated Q_i|."""
    return nu / (beta + 1) ** mu


def lemma_7(gamma: float, tau: float, agents: int, sigma: float, nu_q: float, variation: float) -> float:
    """(19): largest ||V^zeta - V^zeta'||, for sum_i sup_s TV = `variation`."""
    return (tau * sigma + nu_q / agents) * variation / (1 - gamma)


def lemma_9(
    r_bar: float, gamma: float, entropy_range: float, c: np.ndarray, z: np.ndarray, form: str = "printed"
) -> np.ndarray:
    """Largest Z^Q, entry by entry; infinite where the series diverges.  `entropy_range` is n tau sigma."""
    eye = np.eye(len(c))
    stage = (r_bar + entropy_range) * z + (0 if form == "printed" else r_bar * eye)
    if not stage.any():
        return r_bar * eye
    radius = np.abs(np.linalg.eigvals(c + z)).max()
    if gamma * radius >= 1:
        return np.where(_reached(stage, c, z), np.inf, r_bar * eye)
    return r_bar * eye + gamma * stage @ np.linalg.solve(eye - gamma * (c + z), c)


def _reached(stage: np.ndarray, c: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Where some term of the series is not 0; in a connected network that is where it may diverge."""
    power, total = np.eye(len(c)), np.zeros_like(c)
    for _ in range(len(c)):
        total = total + stage @ power @ c
        power = power @ (c + z)
    return total > 0


def lemma_9_decay(r_bar: float, gamma: float, entropy_range: float, form: str = "printed") -> float:
    """v' of Lemma 9: decay of the Q functions of a (1/2, mu)-decay policy."""
    own = r_bar if form == "printed" else 3 * r_bar
    return r_bar + gamma * (own + entropy_range) / (4 * (1 - gamma))


def lemma_10_sigma(nu_q: float, tau: float, agents: int) -> float:
    """Regularity of the improved policy."""
    return nu_q / (agents * tau)


def lemma_10_decay(nu_q: float, mu: float, tau: float, agents: int, actions: int) -> float:
    """v'': decay of the improved policy; infinite where tau is too small for the bound."""
    rate = lemma_18_rate(nu_q, mu, tau, agents, actions)
    return rate / (1 - rate) if rate < 1 else math.inf


def lemma_12(sigma: float, variation: float) -> float:
    """Largest difference of the entropies of two sigma-regular distributions."""
    return sigma * variation


def lemma_16(nu_q: float, mu: float, form: str = "printed") -> float:
    """Decay of H^Q.  The proof's convexity step needs mu >= 1; for mu < 1 it gives 4 v' (corrected)."""
    return (2 ** (mu + 1) if form == "printed" else max(2 ** (mu + 1), 4.0)) * nu_q


def lemma_17(size: int, c: float, epsilon: float) -> float:
    """Largest total variation of two distributions on `size` points whose log ratios differ by at most epsilon."""
    return size**2 * math.exp(c) * math.expm1(epsilon) / 2


def lemma_17_sharp(epsilon: float) -> float:
    """The best possible bound in Lemma 17, whatever the size and c: attained by two points."""
    return math.tanh(epsilon / 4)


def lemma_18_rate(nu_q: float, mu: float, tau: float, agents: int, actions: int) -> float:
    """Factor by which (28) with eta = 1 / tau approaches its limit in every step."""
    return 2 ** (mu + 1) * nu_q * actions**2 * math.exp(nu_q / (agents * tau)) / tau


def lemma_21(
    nu_q: float, mu: float, kappa: int, epsilon: float, largest_neighbourhood: int, agents: int, form: str = "printed"
) -> float:
    """Decay of the second order influences of the aggregated Q estimates, each wrong by at most epsilon.

    The proof has 4 |N_i^kappa| / n times as much of the second term as the statement, which is more when 4 f > n.
    """
    factor = 1.0 if form == "printed" else 4 * largest_neighbourhood / agents
    return 2 ** (mu + 1) * nu_q + factor * largest_neighbourhood * (kappa + 1) ** mu * epsilon


def largest_gap(r_bar: float, gamma: float) -> float:
    """What no J* - J(uniform policy) exceeds: the uniform policy has all the entropy and no negative reward."""
    return r_bar / (1 - gamma)


def largest_value(r_bar: float, gamma: float, tau: float, agents: int, actions: int) -> float:
    """J and V lie between 0 and this, V_i too."""
    return (r_bar + agents * tau * math.log(actions)) / (1 - gamma)


def _log2(x: float) -> float:
    return math.log2(x) if x > 0 else (math.nan if math.isnan(x) else -math.inf)
