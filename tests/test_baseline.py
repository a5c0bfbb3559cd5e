"""The comparison with the actor-critic: its steps are chosen on other seeds, its numbers are those of the runs."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import lpi
import lpi.config
from lpi.baselines import compare, design


def made_up(algorithm, step, kappa, seed, closed):
    return [
        {"algorithm": algorithm, "step": step, "kappa": kappa, "seed": seed, "outer_loop": m, "samples": m, "closed": c}
        for m, c in enumerate((0.0, closed))
    ]


def table(part, chosen=None, closed=lambda algorithm, step, kappa, seed: 0.5):
    runs = [(*run, k, seed) for run in design.tried(part, chosen) for k in design.KAPPAS for seed in design.PARTS[part]]
    return pd.DataFrame([row for run in runs for row in made_up(*run, closed(*run))])


CHOSEN = {"lpi": 1.0, "centred": 10.0, "plain": 0.1}


def test_the_seeds_of_the_choice_are_not_those_of_the_result():
    assert not set(design.SCREENING) & set(design.SEEDS)
    assert design.PAPER_STEP in design.ALGORITHMS["lpi"].steps
    assert len({len(entry.steps) for entry in design.ALGORITHMS.values()}) == 1  # the same effort for each


def test_the_step_with_the_largest_mean_at_the_end_is_chosen():
    def closed(algorithm, step, kappa, seed):
        """The chosen step is the best on average, though not on one of the seeds."""
        return 0.1 * kappa + (0.5 + 0.4 * (seed - 1000) if step == CHOSEN[algorithm] else 0.6)

    assert compare.choose(table("screen", closed=closed)) == CHOSEN
    assert compare.choose(table("screen")) == {name: entry.steps[0] for name, entry in design.ALGORITHMS.items()}


def test_text_and_figure_are_made_from_the_rows(tmp_path):
    result = table("result", CHOSEN, lambda algorithm, step, kappa, seed: 0.25 + 0.125 * kappa + 0.01 * seed)
    files = {"screen": table("screen"), "result": result}
    for name, rows in files.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "chosen.json").write_text(json.dumps(CHOSEN), encoding="utf-8")
    parts = [f"--{name}={tmp_path / name}.csv" for name in files]
    compare.main(["report", *parts, "--chosen", str(tmp_path / "chosen.json"), "--folder", str(tmp_path)])
    words = (tmp_path / "baseline.md").read_text(encoding="utf-8")
    assert words.count("| 0.270 (0.250 to 0.290) | 0.395 (0.375 to 0.415) | 0.520") == 4
    assert "κ = 2: 0.500 (step 0.05)" in words  # all alike
    assert "localized actor-critic: 0.1 out of 0.1, 1, 10, 100 (at the end of its grid)" in words
    written = pd.read_csv(tmp_path / "baseline.csv")
    assert len(written) == 12 and set(written["seeds"]) == {5}
    assert (tmp_path / "baseline.png").stat().st_size + (tmp_path / "baseline.pdf").stat().st_size < 300_000


@pytest.mark.parametrize("part", design.PARTS)
def test_runs_are_measured_on_the_gap(monkeypatch, part):
    small = {"agents": 3, "outer_loops": 2, "trajectory_length": 500}

    def made(kappa, step=None):
        return lpi.config.resolve("working", small | {"kappa": kappa} | ({} if step is None else {"eta": step}))

    monkeypatch.setattr(compare, "settings_of", made)
    found = pd.DataFrame(compare.rows(part, 1, CHOSEN))
    assert len(found) == 3 * len(design.tried(part, CHOSEN)) * len(design.PARTS[part])
    mdp = compare.model(made(1))
    best = lpi.exact.optimum(mdp, 0.05).regularized
    assert (found[found["outer_loop"] == 0]["closed"] == 0).all() and (found["closed"] < 1).all()
    for row in found[found["outer_loop"] == 2].itertuples():
        first = found["regularized"].iloc[0]
        assert row.closed == pytest.approx((row.regularized - first) / (best - first))
