"""A policy evaluation of a user's own: what a Python file may define in the place of Algorithm 2 (Definition 7).

The setting `policy_evaluation` is then the name of that file, which defines `POLICY_EVALUATION` (`lpi.own_files`): a
function in plain NumPy of what one agent sees.  The package simulates the trajectories, those of TD(0) for the same
seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from lpi.mistakes import ConfigError
from lpi.own_files import defined

ROW_BYTES = 150
"""What least-squares TD takes for one agent, per transition; the `Sample` itself is a third of it."""


class Sample(NamedTuple):
    """What one agent sees of the T transitions of an outer loop, in the order of time.

    A pair (s, a) of the agent's beta-hop neighbourhood is the number (index of s) * (number of joint actions) + (index
    of a); indices are mixed-radix numbers whose digits are the members' values, in ascending order of the members, the
    last one varying fastest.
    """

    agent: int
    pairs: np.ndarray  # (T,) int64: the pair that a transition leaves
    following: np.ndarray  # (T,) int64: the pair that it leads to
    rewards: np.ndarray  # (T,) float64: r_hat_i, with the entropy bonus, of departure or arrival as `reward_at` says
    last: np.ndarray  # (T,) bool: the episode ends with this transition; true of the last one
    gamma: float


class PolicyEvaluation(NamedTuple):
    """How truncated Q functions are estimated, one agent at a time."""

    evaluate: Callable[[Sample, np.ndarray], np.ndarray]
    """function of the sample and of the present values of the agent's pairs, shape (pairs,) float64, a copy that it may
    change; returns the new ones, same shape, finite.  Values of pairs that no transition leaves may change too"""
    row_bytes: int = ROW_BYTES
    """most memory that it takes, per transition, the sample included: for `lpi.memory`"""


@cache
def find(name: str) -> PolicyEvaluation:
    """The policy evaluation of the Python file of that name, which is executed.

    Raises:
        ConfigError: one line that says what is wrong with the file.
    """
    found = defined("policy_evaluation", name, "POLICY_EVALUATION", PolicyEvaluation)
    if not callable(found.evaluate):
        what = f"evaluate = {found.evaluate!r}; a function"
    elif not isinstance(found.row_bytes, int) or found.row_bytes < 0:
        what = f"row_bytes = {found.row_bytes!r}; an integer >= 0"
    else:
        return found
    raise ConfigError(f"policy_evaluation: {name!r} defines POLICY_EVALUATION with {what}")
