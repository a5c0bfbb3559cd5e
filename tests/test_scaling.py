"""How runs grow: exponents, tables, sentences and figures of the table that benchmarks/growth.py writes."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from lpi import plotting, scaling
from lpi.results import ResultsError

SIZES = (5, 10, 50, 100, 300, 1000)


def row(part, graph, agents, kappa, seconds, peak, share=0.5, predicted=None, **more):
    values = dict.fromkeys(scaling.COLUMNS, 1) | {"machine": "M", "python": "3", "numpy": "2", "numba": "0"}
    own = {
        "part": part, "graph": graph, "agents": agents, "kappa": kappa, "in_sight": 2 * kappa + 1,
        "entries": agents * 8 ** (2 * kappa + 1), "outer_loops": 50, "trajectory_length": 10_000, "episodes": 160,
        "learning_seconds": seconds, "process_seconds": seconds, "peak_gb": peak, "visited_share": share,
        "predicted_gb": peak if predicted is None else predicted,
    }  # fmt: skip
    return values | own | more


def table(rows, folder):
    path = folder / "growth.csv"
    pd.DataFrame(rows, columns=list(scaling.COLUMNS)).to_csv(path, index=False)
    return scaling.read(path)


@pytest.fixture
def grown(tmp_path):
    """Linear on a line; on a ring time is quadratic; at kappa = 2 the line does not fit."""
    rows = [row("size", "line", n, k, n * 0.01, 0.2 + 1e-3 * n, 1 / n) for k in (0, 1) for n in SIZES]
    rows += [row("size", "ring", n, 1, n**2 * 1e-3, 0.2 + 2e-4 * n) for n in SIZES]
    rows += [row("size", "line", n, 2, None, None, None, 7.0) for n in SIZES]
    rows += [row("kappa", "line", 8, k, 2.0 ** (2 * k + 1), 0.205 + 8.0 ** (2 * k + 1) * 1e-5) for k in range(5)]
    rows += [row("target", "line", 1000, 1, 70, 0.3), row("target", "line", 1000, 1, 40, 0.3, episodes=16)]
    return table(rows, tmp_path)


def test_the_exponent_of_a_power_and_its_interval():
    x = np.array([5, 10, 100, 1000])
    fit = scaling.exponent(x, 3 * x**1.5)
    assert fit.slope == pytest.approx(1.5) and fit.high - fit.low < 1e-6
    noisy = scaling.exponent(x, x * np.array([1.2, 0.9, 1.1, 0.8]))
    assert noisy.low < noisy.slope < noisy.high and noisy.high - noisy.low > 0.1
    assert np.isnan(scaling.exponent(x[:2], x[:2]).slope)


def test_the_exponent_above_a_constant():
    x = np.array([20, 50, 100, 500, 1000])
    assert scaling.exponent_above(x, 0.2 + 1e-3 * x).slope == pytest.approx(1, abs=1e-3)
    assert scaling.exponent_above(x, 0.2 + 1e-6 * x**2).slope == pytest.approx(2, abs=1e-3)
    assert np.isnan(scaling.exponent_above(x[:3], x[:3]).slope)


def test_exponents_by_graph_and_kappa(grown):
    fits = scaling.exponents(grown, "learning_seconds")
    assert list(fits) == [("line", 0), ("line", 1), ("ring", 1)]
    assert [round(fit.slope, 6) for fit in fits.values()] == [1, 1, 2]
    assert scaling.exponents(grown, "peak_gb")["line", 0].slope == pytest.approx(1, abs=1e-3)
    assert "ring, κ = 1: 10 ns in a run of 0.20 GB, 2000 ns in one of 0.40 GB" in scaling.update_sentence(grown)
    sentence = scaling.size_sentence(grown)
    assert (
        "CPU time without J is linear in n (exponent 1 ± 0.1) in 2 of 3 families; outside: ring, κ = 1: 2.00."
        in sentence
    )
    assert "| ring | 1 | 5 to 1000 | 2.00 (2.00 to 2.00) |" in scaling.size_table(grown)


def test_sizes_with_many_agents_at_the_edge_are_not_fitted(tmp_path):
    rows = [row("size", "grid", n, 1, 0.01 * n * min(1, n / 100), 0.2 + 0.001 * n) for n in SIZES]
    for made, n in zip(rows, SIZES, strict=True):
        made["entries"] = n * (100 if n < 100 else 1000)
    fit = scaling.exponents(table(rows, tmp_path), "learning_seconds")["grid", 1]
    assert fit.points == 3
    for made in rows:
        made["entries"] = made["agents"] * 1000
    assert scaling.exponents(table(rows, tmp_path), "learning_seconds")["grid", 1].points == 6


def test_time_is_fitted_where_the_tables_stay_in_the_cache(tmp_path):
    """On a ring at kappa = 1 an agent has 8^3 entries of 9 bytes and 4^3 * 2 * 3 probabilities: 7680 bytes."""
    sizes = (20, 50, 100, 136, 137, 1000)
    rows = [row("size", "ring", n, 1, n if n < 137 else n**2, 0.2) for n in sizes]
    fit = scaling.cached_exponents(table(rows, tmp_path))["ring", 1]
    assert (fit.points, round(fit.slope, 6)) == (4, 1)


def test_memory_is_fitted_against_what_tables_take_above_the_smallest_run(tmp_path):
    """Tables grow as n^1.3 because fewer agents stand at the edge, and memory with them; 10 agents are solved for."""
    sizes = (10, 20, 30, 200, 500, 1000)
    tables = [0.3 * (n / 1000) ** 1.3 for n in sizes]
    rows = [
        row("size", "grid", n, 1, n, 0.18 + 2 * taken if n > 10 else 9, predicted=0.17 + taken)
        for n, taken in zip(sizes, tables, strict=True)
    ]
    data = table(rows, tmp_path)
    fit = scaling.table_exponents(data)["grid", 1]
    assert (fit.points, round(fit.slope, 6)) == (3, 1)  # from 0.02 GB on
    assert "against what the tables take instead of n, in 1 of 1 families; 1.00 to 1.00." in scaling.limits_sentence(
        data
    )


def test_the_factor_of_an_agent_in_sight(grown):
    assert scaling.per_agent(grown, "learning_seconds").slope == pytest.approx(2)
    assert scaling.per_agent(grown, "peak_gb").slope == pytest.approx(8, rel=0.02)
    assert "CPU time without J by 2 (2 to 2)" in scaling.kappa_sentence(grown)


def test_the_limits_are_held_against_the_runs(grown):
    sentence = scaling.target_sentence(grown)
    assert "70 s of CPU time and 0.3 GB with 160 episodes for each J (beyond the limits)" in sentence
    assert "40 s of CPU time and 0.3 GB with 16 episodes for each J (within the limits)" in sentence


def test_the_prediction_is_held_against_the_peaks(grown, tmp_path):
    assert "within 20% of the measured peak in 25 of 25 runs" in scaling.memory_sentence(grown)
    assert "Refused before the start: line at κ = 2 (n = 5 would take 7 GB)." in scaling.memory_sentence(grown)
    off = table([row("size", "line", 5, 0, 1, 0.2), row("size", "star", 10, 1, 1, 1.0, predicted=0.5)], tmp_path)
    assert "in 1 of 2 runs; furthest off: star, n = 10, κ = 1, predicted 0.5 GB" in scaling.memory_sentence(off)


def test_the_figures_hold_every_family(grown):
    figure = scaling.size_figure(grown)
    panels = np.array(figure.axes).reshape(3, 2)
    assert [ax.get_title() for ax in panels[0]] == ["line", "ring"]
    assert [len(ax.lines) for ax in panels[0]] == [2, 1]
    assert [len(ax.lines) for ax in panels[1]] == [4, 2]  # measured and predicted
    np.testing.assert_allclose(panels[0, 1].lines[0].get_xdata(), SIZES)
    assert all(len(ax.lines) == 2 for ax in scaling.kappa_figure(grown).axes)


def test_a_table_of_something_else(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for name in ("other.csv", "none.csv"):
        with pytest.raises(ResultsError, match=f"{name}: "):
            scaling.read(tmp_path / name)


def test_the_committed_table_can_be_shown(tmp_path):
    data = scaling.read(Path(__file__).parents[1] / "benchmarks/growth.csv")
    assert set(data["part"]) == {"size", "kappa", "target"}
    for figure in (scaling.size_figure(data), scaling.kappa_figure(data)):
        plotting.save(figure, tmp_path / "figure")
        assert matplotlib.image.imread(tmp_path / "figure.png").std() > 0.01
    assert scaling.machine_sentence(data).startswith("Measured on ")
