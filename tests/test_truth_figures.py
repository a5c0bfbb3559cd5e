"""Figures 4 to 6 and their sentences: what is drawn and said, from made-up data."""

from __future__ import annotations

import math

import curves
import numpy as np
import pytest
import truths

from lpi import plotting, results, summary
from lpi.results import ResultsError
from lpi.truth import figures as truth_figures
from lpi.truth import findings as truth_findings

PANEL = (8, 0.05)


@pytest.fixture
def data(tmp_path):
    return results.read_curves(curves.grid(tmp_path / "curves.csv", kappas=(0, 1, 2), seeds=3))


@pytest.fixture
def optima(tmp_path):
    return summary.read_optima(truths.optima(tmp_path / "optima.csv", truths.optimum()))


def _visible(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def _local(tmp_path, **changed):
    return truth_findings.read_locality([truths.locality(tmp_path / "local.csv", **changed)])


def test_gap_is_drawn_on_a_log_axis_with_the_floors_that_are_near(data, optima):
    floors = {PANEL: {0: 1.9, 1: 0.3, 2: 1e-7}}
    figure = truth_figures.optimality_gap(data, optima, [PANEL], floors=floors)
    (ax,) = _visible(figure)
    assert ax.get_yscale() == "log"
    lines = {line.get_label(): line for line in ax.lines}
    runs = data[data.kappa == 1].pivot(index="seed", columns="outer_loop", values="regularized")
    np.testing.assert_array_equal(lines[r"$\kappa = 1$"].get_ydata(), np.median(40 - runs, axis=0))
    level = {line.get_ydata()[0]: line for line in ax.lines if len(line.get_ydata()) == 2}
    assert set(level) == {1.9, 0.3, 3.0}  # two floors and the uniform policy; the third floor is far below
    assert level[0.3].get_color() == plotting.look(1).color
    assert ax.get_ylim()[0] > 1e-2 and "left out" in figure.get_supxlabel()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [*(rf"$\kappa = {k}$" for k in range(3)), r"best policy of that $\kappa$", "uniform policy"]


def test_a_network_without_optimum_says_so(data, tmp_path):
    empty = dict.fromkeys(
        ("optimum", "optimum_unregularized", "ceiling", "uniform", "uniform_unregularized", "error_bound"), math.nan
    )
    row = truths.optimum(method="too_large", **empty)
    missing = summary.read_optima(truths.optima(tmp_path / "none.csv", row))
    (ax,) = _visible(truth_figures.optimality_gap(data, missing, [PANEL]))
    assert "not computed" in ax.texts[0].get_text() and not ax.lines
    table = truth_findings.gap_table(data, missing, [PANEL])
    assert table["gap_median"].isna().all() and "No optimum was computed." in truth_findings.gaps(table, {})


def test_simulated_values_above_the_optimum_are_left_out_of_the_log_axis(tmp_path, optima):
    rows = curves.run([37.0, 39.0, 40.5], method="monte_carlo", error=0.5)
    data = results.read_curves(curves.write(tmp_path / "one.csv", rows))
    (ax,) = _visible(truth_figures.optimality_gap(data, optima, [PANEL]))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [3.0, 1.0, np.nan])


def test_a_panel_without_its_optimum_is_refused(data, optima):
    with pytest.raises(ResultsError, match="optima: 0 rows for reading working, graph line, agents 8, tau 0.05"):
        truth_figures.optimality_gap(data, optima.assign(tau=0.1), [PANEL])
    with pytest.raises(ResultsError, match="at least one"):
        truth_figures.optimality_gap(data, optima, [])


def test_losses_that_are_not_resolved_are_hollow_at_the_resolution(tmp_path):
    figure = truth_figures.locality_loss(_local(tmp_path), 8)
    (ax,) = _visible(figure)
    assert ax.get_yscale() == "log"
    (line,) = (line for line in ax.lines if "success" in str(line.get_label()))
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.01, 1.1e-9])
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in hollow] == [[2]]
    assert "Theorem 1 does not apply" in figure.get_supxlabel() and r"0.95 \geq 0.8" in figure.get_supxlabel()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[-1].startswith("Theorem 1: no bound")
    with pytest.raises(ResultsError, match="no rows for agents 5"):
        truth_figures.locality_loss(_local(tmp_path), 5)


def test_the_bound_is_drawn_where_it_holds(tmp_path):
    met = {"gamma": 0.5, "least_tau": 0.01, "hypotheses_met": "yes", "bound": 7.0, "interaction": 0.3}
    figure = truth_figures.locality_loss(_local(tmp_path, **met), 8)
    (line,) = (line for line in _visible(figure)[0].lines if line.get_label() == "Theorem 1's bound")
    assert list(line.get_ydata()) == [7.0] * 3 and "does not apply" not in figure.get_supxlabel()
    assert "The hypotheses hold in 3 of 3 rows." in truth_findings.theorem_1(_local(tmp_path, **met), 8)


def test_acting_has_a_panel_for_each_convention_and_a_line_for_each_p_eff(tmp_path):
    paths = [truths.acting(tmp_path / f"{name}.csv", (name, name)) for name in ("failure", "success")]
    table = truth_findings.read_acting(paths)
    figure = truth_figures.acting_probability(table)
    panels = _visible(figure)
    assert [ax.get_title() for ax in panels] == [
        "$p_1$: failure, $p_2$: failure (as printed)",
        "$p_1$: success, $p_2$: success (as the prose needs)",
    ]
    assert len({ax.get_ylim() for ax in panels}) == 1
    assert [text.get_text() for text in panels[0].get_xticklabels()] == ["0", "1", "2", "3", "4", "none"]
    assert len(panels[0].get_legend_handles_labels()[1]) == 2
    with pytest.raises(ResultsError, match="0 networks with place end"):
        truth_figures.acting_probability(table, "end")


def test_reach_by_hand():
    assert truth_findings.reach([0, 1, 2, 3], [0.9, 0.8, 0.6, 0.2], 0.2) == pytest.approx(2.25)
    assert truth_findings.reach([1, 2], [0.8, 0.5], 0.2) == 2.0
    assert truth_findings.reach([1, 2], [0.8, 0.7], 0.2) == math.inf
    assert math.isnan(truth_findings.reach([1, 2], [0.2, 0.1], 0.2))
    assert math.isnan(truth_findings.reach([0], [0.9], 0.2))


def test_sentences_on_acting(tmp_path):
    table = truth_findings.read_acting([truths.acting(tmp_path / "a.csv", widths=(3.0, 2.0))])
    text = truth_findings.acting(table)
    assert "falls at every step, from 2.50 to 2.00 hops as p_eff rises" in text
    assert "under 1 of 1 conventions" in text and "lower probability than the largest under 0 of 1" in text
    table = truth_findings.read_acting([truths.acting(tmp_path / "a.csv", widths=(2.0, 3.0))])
    assert "grows at every step" in truth_findings.acting(table)
    assert "under 0 of 1 conventions" in truth_findings.acting(table)


def test_gaps_by_hand(tmp_path, optima):
    runs = [curves.run([37.0, 38.0 + seed / 2], seed=seed, kappa=1) for seed in range(3)]
    data = results.read_curves(curves.write(tmp_path / "curves.csv", *runs))
    (row,) = truth_findings.gap_table(data, optima, [PANEL]).to_dict("records")
    assert (row["gap_median"], row["gap_q1"], row["gap_q3"]) == (1.5, 1.25, 1.75)
    assert row["closed_median"] == pytest.approx(0.5)
    text = truth_findings.gaps(truth_findings.gap_table(data, optima, [PANEL]), {PANEL: {1: 0.15}})
    assert "| 1.500 [1.250, 1.750] | 50.0 % [41.7 %, 58.3 %] | 0.1500 | 10.0 % |" in text
    # The unregularised reward, 1 less here, is held against the optimum for tau = 0.
    figure2 = {"figure2": {"agents": [8], "taus": [0.05]}}
    (row,) = summary.summarize(data, figure2, optima).to_dict("records")
    assert (row["optimum"], row["gap_median"]) == (39.0, 1.5) and row["closed_median"] == pytest.approx(0.5)


def test_floors_are_those_of_the_convention(tmp_path):
    table = _local(tmp_path, means=("failure", "success"))
    assert truth_findings.floors_of(table, ("success", "success")) == {}
    assert truth_findings.floors_of(table, None) == {}
    floors = truth_findings.floors_of(table, ("failure", "success"))
    assert floors == {PANEL: {0: 0.1, 1: 0.01, 2: pytest.approx(1.1e-9)}}


def test_figures_are_the_same_bytes_twice(data, optima):
    one, two = (plotting.render(truth_figures.optimality_gap(data, optima, [PANEL]), "png") for _ in "ab")
    assert one == two
