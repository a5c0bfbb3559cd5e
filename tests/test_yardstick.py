"""The C program that the kernels are held against does their job; skipped where there is no C compiler."""

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from lpi.improvement import aggregated_q, multiplicative_weights

ROOT = Path(__file__).parents[1]
AGENTS = 5

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@pytest.fixture
def yardstick(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("yardstick")


@pytest.mark.parametrize("kappa", [0, 1, 2])
def test_the_same_numbers_from_the_same_uniforms(yardstick, tmp_path, kappa):
    case = yardstick.case(kappa, AGENTS)
    program = yardstick.Yardstick(case, tmp_path, "-DGIVEN_UNIFORMS")
    (q, plan), (same, _) = case.tables(), case.tables()
    error, same_error = case.learn(q, 3003, 7), program.learn(same.values, same.visited, 3003, 7)
    np.testing.assert_allclose(same.values, q.values, rtol=1e-11)
    np.testing.assert_array_equal(same.visited, q.visited)
    assert q.visited.any() and same_error == pytest.approx(error, rel=1e-11)

    gains, rng = aggregated_q(plan, q), np.random.default_rng(8)
    program.aggregate(q.values)
    np.testing.assert_allclose(program.gains, gains, rtol=1e-9, atol=1e-11)
    up = rng.uniform(0.1, 0.9, len(case.policy) // 2)
    logs = np.log(np.column_stack((1 - up, up)))
    policy, _ = multiplicative_weights(plan, gains, logs.ravel(), yardstick.ETA, yardstick.TAU, 10)
    np.testing.assert_allclose(program.improve(logs[:, 1] - logs[:, 0], 10), policy[1::2], rtol=1e-11)


@pytest.mark.parametrize("kappa", [0, 1])
def test_the_same_outer_loop(yardstick, tmp_path, kappa):
    case = yardstick.case(kappa, AGENTS)
    program, (q, _) = yardstick.Yardstick(case, tmp_path, "-DGIVEN_UNIFORMS"), case.tables()
    logits, up = np.zeros(len(case.policy) // 2), np.full(len(case.policy) // 2, 0.5)
    numbers = np.random.default_rng(9)
    loop, rows = yardstick.package_loop(case, 3003, 9), 3003 + -(-3003 // yardstick.EPISODE)
    for _ in range(3):
        given = numbers.random((rows, 2 * AGENTS))
        assert program.outer_loop(q.values, q.visited, logits, up, 3003, given)() > 0
        np.testing.assert_allclose(up, loop()[1::2], rtol=1e-9)
    assert up.std() > 0.001


@pytest.mark.parametrize("options", [(), ("-DSTREAMS=1",), ("-DHALVES",)])
def test_its_own_generators_are_plausible(yardstick, tmp_path, options):
    """Mean |TD error| and mean Q over seeds, which a generator that repeats or skews its numbers would shift."""
    case = yardstick.case(1, AGENTS)
    program, found = yardstick.Yardstick(case, tmp_path, *options), []
    for seed in range(40):
        (q, _), (other, _) = case.tables(), case.tables()
        error, other_error = case.learn(q, 2000, seed), program.learn(other.values, other.visited, 2000, seed)
        found.append((error, q.values.mean(), other_error, other.values.mean()))
    ours, theirs = np.split(np.array(found), 2, axis=1)
    spread = np.sqrt((ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / len(found))
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * spread).all()
    assert (theirs.std(axis=0) < 3 * ours.std(axis=0)).all() and (theirs.std(axis=0) > ours.std(axis=0) / 3).all()
