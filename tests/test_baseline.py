"""The comparison with the actor-critic: its steps are chosen on other seeds, its numbers are those of the runs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import lpi
import lpi.config
from lpi.baselines import compare, design, report, standing


def made_up(algorithm, step, kappa, seed, closed):
    return [
        {"algorithm": algorithm, "step": step, "kappa": kappa, "seed": seed, "outer_loop": m, "samples": m, "closed": c}
        for m, c in enumerate((0.0, closed))
    ]


def table(part, chosen=None, closed=lambda algorithm, step, kappa, seed: 0.5):
    runs = [
        (*run, k, seed) for k in design.KAPPAS for run in design.tried(part, k, chosen) for seed in design.PARTS[part]
    ]
    return pd.DataFrame([row for run in runs for row in made_up(*run, closed(*run))])


ONE = {"lpi": 1.0, "centred": 10.0, "plain": 0.1}
CHOSEN = {"one": ONE, "0": {**ONE, "lpi": 0.05}, "1": ONE, "2": {**ONE, "centred": 100.0}, "3": ONE}


def test_the_seeds_of_the_choice_are_not_those_of_the_result():
    assert not set(design.SCREENING) & set(design.SEEDS)
    assert design.PAPER_STEP in design.ALGORITHMS["lpi"].steps
    assert len({len(entry.steps) for entry in design.ALGORITHMS.values()}) == 1  # the same effort for each
    assert all(list(entry.steps) == sorted(set(entry.steps)) for entry in design.ALGORITHMS.values())


def test_the_step_with_the_largest_mean_at_the_end_is_chosen():
    def closed(algorithm, step, kappa, seed):
        """The step for all is the best on average, though not at every kappa."""
        there = 0.9 * (step == CHOSEN[str(kappa)][algorithm] != ONE[algorithm])
        return 0.1 * kappa + max(there, 0.7 if step == ONE[algorithm] else 0.1)

    assert compare.choose(table("screen", closed=closed)) == CHOSEN
    lowest = {name: entry.steps[0] for name, entry in design.ALGORITHMS.items()}
    assert set(map(str, compare.choose(table("screen")).values())) == {str(lowest)}


def test_a_step_that_several_choices_come_to_is_run_once():
    assert design.tried("result", 0, CHOSEN) == [("lpi", 0.05), ("lpi", 1.0), ("centred", 10.0), ("plain", 0.1)]
    assert design.tried("result", 2, CHOSEN)[2:4] == [("centred", 10.0), ("centred", 100.0)]


def test_text_and_figure_are_made_from_the_rows(tmp_path):
    def closed(algorithm, step, kappa, seed):
        return 0.25 + 0.125 * kappa + 0.01 * seed + 0.1 * (step == 100.0)

    files = {"screen": table("screen"), "result": table("result", CHOSEN, closed)}
    for name, rows in files.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "chosen.json").write_text(json.dumps(CHOSEN), encoding="utf-8")
    parts = [f"--{name}={tmp_path / name}.csv" for name in files]
    report.main([*parts, "--chosen", str(tmp_path / "chosen.json"), "--folder", str(tmp_path)])
    words = (tmp_path / "baseline.md").read_text(encoding="utf-8")
    middle = " | 0.295 (0.273 to 0.317) | 0.420 (0.398 to 0.442) | 0.545"
    assert words.count(middle) == 4  # LPI with two choices, the actor-critic's one for all κ
    assert "| LPI | the paper's: 0.05" + middle in words
    assert "| localized actor-critic, centred | one for all κ: 10" + middle in words
    assert "0.645 (0.623 to 0.667), step 100 |" in words
    written = pd.read_csv(tmp_path / "baseline.csv")
    assert len(written) == 7 * len(design.KAPPAS) and set(written["seeds"]) == {len(design.SEEDS)}
    assert (tmp_path / "baseline.png").stat().st_size + (tmp_path / "baseline.pdf").stat().st_size < 300_000


def standing_of(**bounds):
    """LPI and the centred actor-critic at one kappa for each pair of intervals; steps inside their grids but for the last."""
    rows = []
    for kappa, (lpi_bounds, other) in enumerate(bounds.values()):
        last = kappa == len(bounds) - 1
        for name, (low, high), step in (("lpi", lpi_bounds, 0.05), ("centred", other, 1000.0 if last else 30.0),
                                        ("plain", (-1.0, -0.5), 1.0)):  # fmt: skip
            row = {"algorithm": name, "choice": "each", "step": step, "kappa": kappa}
            rows.append(row | {"closed": (low + high) / 2, "low": low, "high": high})
    return standing.sentences(pd.DataFrame(rows)).splitlines()


def test_who_is_ahead_is_said_of_each_kappa_by_the_intervals():
    head, _, centred, plain = standing_of(
        above=((0.8, 0.9), (0.6, 0.7)), overlap=((0.5, 0.7), (0.6, 0.8)), below=((0.1, 0.2), (0.3, 0.4))
    )
    assert head.startswith("With a step for each κ")
    assert centred == (
        "- LPI against the localized actor-critic, centred: ahead at κ = 0 (0.850\u00a0[0.800,\u00a00.900] against "
        "0.650\u00a0[0.600,\u00a00.700]); behind at κ = 2 (0.150\u00a0[0.100,\u00a00.200] against "
        "0.350\u00a0[0.300,\u00a00.400], its step 1000 at an end of the grid); level at κ = 1 (0.600\u00a0[0.500,\u00a00.700] "
        "against 0.700\u00a0[0.600,\u00a00.800])."
    )
    assert plain.startswith("- LPI against the localized actor-critic: ahead at κ = 0") and "behind" not in plain


def test_the_published_page_says_who_is_ahead_by_its_table():
    folder = Path(__file__).parents[1] / "figures/baseline"
    page = (folder / "baseline.md").read_text(encoding="utf-8")
    assert f"\n\n{standing.sentences(pd.read_csv(folder / 'baseline.csv'))}\n\n" in page


def test_a_choice_at_an_end_of_its_grid_is_named():
    lines = report.edges(CHOSEN)
    assert lines[0].endswith("beyond: for all κ (1), for κ = 1 (1), for κ = 2 (1), for κ = 3 (1).")
    assert [line.endswith("; none at an end.") for line in lines] == [False, True, True]


def test_the_first_run_is_told_from_its_table():
    words, first = report.first_run(), pd.read_csv(design.FIRST_RUN)
    assert "The step of LPI lay at an end" in words
    assert all(
        f"{closed:.3f} at κ = {kappa}" in words for closed, kappa in zip(first["closed"], first["kappa"], strict=True)
    )


@pytest.mark.parametrize("part", design.PARTS)
def test_runs_are_measured_on_the_gap(monkeypatch, part):
    small = {"agents": 3, "outer_loops": 2, "trajectory_length": 500}

    def made(kappa, step=None):
        return lpi.config.resolve("working", small | {"kappa": kappa} | ({} if step is None else {"eta": step}))

    monkeypatch.setattr(compare, "settings_of", made)
    found = pd.DataFrame(compare.rows(part, 1, CHOSEN))
    assert len(found) == 3 * len(design.tried(part, 1, CHOSEN)) * len(design.PARTS[part])
    mdp = compare.model(made(1))
    best = lpi.exact.optimum(mdp, 0.05).regularized
    assert (found[found["outer_loop"] == 0]["closed"] == 0).all() and (found["closed"] < 1).all()
    for row in found[found["outer_loop"] == 2].itertuples():
        first = found["regularized"].iloc[0]
        assert row.closed == pytest.approx((row.regularized - first) / (best - first))
