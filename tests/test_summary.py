"""Summary statistics against values worked out by hand, and the printed tables and sentences."""

from __future__ import annotations

import csv
import json

import curves
import numpy as np
import pytest

from lpi import experiment, findings, results, summary
from lpi.results import ResultsError

FIGURE = {"figure1": {"agents": [8], "taus": [0.05]}}


def _table(tmp_path, *runs, figures=FIGURE):
    return summary.summarize(results.read_curves(curves.write(tmp_path / "curves.csv", *runs)), figures)


def test_statistics_of_four_seeds_by_hand(tmp_path):
    values = ([0, 4, 8, 10], [0, 9, 1, 10], [0, 0, 0, 2], [5, 6, 7, 4])
    (row,) = _table(tmp_path, *(curves.run(v, seed=s) for s, v in enumerate(values))).to_dict("records")
    # Finals 2, 4, 10, 10; quartiles interpolate between order statistics.
    assert (row["final_q1"], row["final_median"], row["final_q3"]) == (3.5, 7.0, 10.0)
    # Areas by trapezia over three loops: 17/3, 15/3, 1/3, 17.5/3.
    assert row["auc_median"] == pytest.approx(16 / 3)
    assert row["auc_q1"] == pytest.approx((1 + 0.75 * 14) / 3)
    assert row["initial"] == 0.0
    # The last seed ends below its loop 0; the others need 2, 1, 3 loops to 50 % and 3, 1, 3 to 90 %.
    assert (row["seeds"], row["improved"]) == (4, 3)
    assert (row["loops50_q1"], row["loops50_median"], row["loops50_q3"]) == (1.5, 2.0, 2.5)
    assert (row["loops90_q1"], row["loops90_median"], row["loops90_q3"]) == (2.0, 3.0, 3.0)
    assert (row["method"], row["final_se"], row["outer_loops"]) == ("exact", 0.0, 3)


def test_constant_curve_has_its_own_value_as_mean(tmp_path):
    (row,) = _table(tmp_path, curves.run([37.25] * 5)).to_dict("records")
    assert row["auc_median"] == row["final_median"] == 37.25


def test_loops_are_missing_where_no_seed_improves(tmp_path):
    table = _table(tmp_path, curves.run([3.0, 4.0, 2.0]), curves.run([3.0, 3.0, 3.0], seed=1))
    assert table["improved"].tolist() == [0]
    loops = [name for name in table if name.startswith("loops")]
    assert len(loops) == 6 and table[loops].isna().all(axis=None)
    paths = [tmp_path / f"s.{kind}" for kind in ("csv", "md", "tex")]
    summary.write(table, *paths)
    (line,) = list(csv.DictReader(paths[0].read_text().splitlines()))
    assert [line[name] for name in loops] == [""] * 6
    assert paths[1].read_text().splitlines()[2].endswith("| – | – | – | 0 | – | – | 100 % |")
    assert r"& 0 & -- & -- & 100 \% \\" in paths[2].read_text()


@pytest.mark.parametrize(("rise", "improved"), [(0.14, 0), (0.15, 1)])
def test_simulated_curves_must_rise_beyond_their_error(tmp_path, rise, improved):
    # Two standard errors of the difference: 2 sqrt(2) 0.05 = 0.1414.
    rows = curves.run([1.0, 1.0 + rise], method="monte_carlo", error=0.05)
    table = _table(tmp_path, rows)
    assert table["improved"].tolist() == [improved]
    assert table["final_se"].tolist() == [0.05]


def test_rows_follow_figures_panels_and_kappas(tmp_path):
    path = curves.grid(tmp_path / "curves.csv", agents=(5, 8), taus=(0.02, 0.05), kappas=(2, 0, 10))
    figures = {
        "figure3": {"agents": [8, 5], "taus": [0.05]},
        "figure2": {"agents": [8], "taus": [0.05], "kappas": [10, 0]},
    }
    table = summary.summarize(results.read_curves(path), figures)
    assert list(table) == list(summary.SUMMARY_COLUMNS)
    assert list(zip(table["figure"], table["agents"], table["kappa"], strict=True)) == [
        *[("figure3", n, kappa) for n in (8, 5) for kappa in (0, 2, 10)],
        ("figure2", 8, 0),
        ("figure2", 8, 10),
    ]
    assert table["quantity"].tolist() == ["reported"] * 6 + ["unregularized"] * 2
    assert table["initial"].iloc[6] == pytest.approx(table["initial"].iloc[0] - 1.0)


def test_missing_panel_kappa_or_quantity_is_refused(tmp_path):
    data = results.read_curves(curves.grid(tmp_path / "curves.csv"))
    with pytest.raises(ResultsError, match=r"no curves for agents 9, tau 0\.05; there are agents 8, tau 0\.05$"):
        summary.summarize(data, {"figure1": {"agents": [9], "taus": [0.05]}})
    with pytest.raises(ResultsError, match=r"no curves for agents 8, tau 0\.05, kappa 2, 3; there are kappa 0, 1$"):
        summary.summarize(data, {"figure1": {"agents": [8], "taus": [0.05], "kappas": [1, 2, 3]}})
    with pytest.raises(ResultsError, match="quantity: 'J' is not allowed"):
        summary.summarize(data, {"figure1": {"agents": [8], "taus": [0.05], "quantity": "J"}})
    with pytest.raises(ResultsError, match="exactly one reading"):
        summary.summarize(data.assign(reading=["a", *["b"] * (len(data) - 1)]), FIGURE)


def test_csv_keeps_full_precision_and_all_is_deterministic(tmp_path):
    table = summary.summarize(results.read_curves(curves.grid(tmp_path / "curves.csv")), FIGURE)
    for name in "ab":
        summary.write(table, *(tmp_path / f"{name}.{kind}" for kind in ("csv", "md", "tex")))
    for kind in ("csv", "md", "tex"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    lines = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [float(line["auc_median"]) for line in lines] == table["auc_median"].tolist()


def test_printed_row(tmp_path):
    runs = [curves.run([37.0, 37.4 + s / 10], seed=s, kappa=1) for s in range(3)]
    table = _table(tmp_path, *runs)
    assert summary.to_markdown(table).splitlines()[2] == (
        "| 1 | reported | 8 | 0.05 | 1 | exact | 3 | 37.000 | 37.500 [37.450, 37.550] | – | – | – | 3 "
        "| 1 [1, 1] | 1 [1, 1] | 100 % |"
    )
    latex = summary.to_latex(table)
    assert r"1 & reported & 8 & 0.05 & 1 & exact & 3 & 37.000 & 37.500 [37.450, 37.550]" in latex
    body = latex.split(r"\begin{tabular}")[1]
    assert all(line.count("&") == len(summary.SHOWN) - 1 for line in body.splitlines() if line.endswith(r" \\"))


def test_latex_escapes_names(tmp_path):
    figures = {"figure_a%": {"agents": [8], "taus": [0.05]}}
    assert r"\_a\% & reported" in summary.to_latex(_table(tmp_path, curves.run([1.0, 2.0]), figures=figures))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "is not allowed; figures like"),
        ("{", "not a JSON file"),
        ('{"figure1": {"agents": [8]}}', "figure1: taus: missing"),
        ('{"figure1": {"agents": [8], "taus": 0.05}}', "figure1: taus: not a list"),
        ('{"figure1": {"agents": [8], "taus": [0.05], "tuas": []}}', "figure1: tuas: no such key"),
    ],
)
def test_figures_file_is_checked(tmp_path, content, message):
    path = tmp_path / "figures.json"
    path.write_text(content)
    with pytest.raises(ResultsError, match=message):
        summary.read_figures(path)
    path.write_text(json.dumps(FIGURE))
    assert summary.read_figures(path) == FIGURE


def _ranked(tmp_path):
    finals = {0: (1.0, 1.1, 1.2), 1: (3.0, 3.1, 3.2), 2: (2.9, 3.05, 3.3), 3: (-1.0, -0.9, -0.8)}
    return [
        curves.run([0.0, final / 2, final], seed=s, kappa=k)
        for k, values in finals.items()
        for s, final in enumerate(values)
    ]


def test_ranking_says_which_quartile_ranges_overlap(tmp_path):
    text = findings.ranking(_table(tmp_path, *_ranked(tmp_path)))
    assert "- n = 8, τ = 0.05: κ = 1 (3.100) ≈ κ = 2 (3.050) > κ = 0 (1.100) > κ = 3 (-0.900)" in text
    assert text.endswith("The final median rises with every step of κ in 0 of 1 panel.")


def test_ranking_counts_panels_that_rise(tmp_path):
    path = curves.grid(tmp_path / "curves.csv", taus=(0.02, 0.05), kappas=(0, 1, 2))
    table = summary.summarize(results.read_curves(path), {"figure1": {"agents": [8], "taus": [0.02, 0.05]}})
    assert "in 2 of 2 panels (τ = 0.02; τ = 0.05)." in findings.ranking(table)


def test_steps_and_speed_tables(tmp_path):
    table = _table(tmp_path, *_ranked(tmp_path))
    steps = findings.steps(table, also=[(1, 3)]).splitlines()
    assert steps[2:] == [
        "| κ = 0 → 1 | +2.000 |",
        "| κ = 1 → 2 | −0.050 (quartiles overlap) |",
        "| κ = 2 → 3 | −3.950 |",
        "| κ = 1 → 3 | −4.000 |",
    ]
    speed = findings.speed(table, 50).splitlines()
    assert speed[2:6] == [*[f"| κ = {k} | 1 [1, 1] |" for k in range(3)], "| κ = 3 | – (0 of 3 seeds) |"]
    assert speed[-1].endswith("in 0 of 1 panel.")


def test_sizes_compare_the_medians_across_n_for_each_kappa(tmp_path):
    rises = {(5, 0): [0, 6, 8, 10], (10, 0): [0, 1, 2, 10], (5, 1): [0, 0, 6, 10], (10, 1): [3, 2, 2, 1]}
    runs = [curves.run(values, agents=n, kappa=kappa) for (n, kappa), values in rises.items()]
    table = _table(tmp_path, *runs, figures={"figure3": {"agents": [10, 5], "taus": [0.05]}})
    assert findings.sizes(table).splitlines()[:4] == [
        "| Median loops | 50 %, n = 10 | 50 %, n = 5 | spread | 90 %, n = 10 | 90 %, n = 5 | spread |",
        "|---|---:|---:|---:|---:|---:|---:|",
        "| κ = 0 | 3 | 1 | 2 | 3 | 3 | 0 |",
        "| κ = 1 | – | 2 | – | – | 3 | – |",
    ]


def test_visited_is_the_median_over_seeds_at_the_last_loop(tmp_path):
    shares = {0: (0.25, 0.5, 0.75), 1: (0.004, 0.005, 1.0)}
    runs = [
        [
            row | {"visited_share": share * row["outer_loop"] / 2}
            for row in curves.run([1, 2, 3], seed=seed, kappa=kappa)
        ]
        for kappa, values in shares.items()
        for seed, share in enumerate(values)
    ]
    path = curves.write(tmp_path / "curves.csv", *runs)
    assert _table(tmp_path, *runs)["visited"].tolist() == [0.5, 0.005]
    movement = findings.movement(results.read_curves(path), [(8, 0.05)], "reported")
    assert movement.endswith("ever updated by the end (median over the seeds): κ = 0: 50 %, κ = 1: 0.5 %")


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100 %"), (0.99999, "> 99.9 %"), (0.1234, "12.3 %"), (3.21e-6, "0.000321 %"), (0, "0 %")]
)
def test_a_share_is_100_percent_only_if_whole(share, text):
    assert summary.percent(share) == text


def test_opening_names_the_settings_that_apply(tmp_path):
    data = results.read_curves(curves.write(tmp_path / "curves.csv", curves.run([1.0, 2.0])))

    def opening(**settings):
        config = {"readings": ["mine"], "custom_readings": {"mine": settings}}
        recorded = json.loads(json.dumps(experiment.load(config).configuration("mine")["settings"]))
        return findings.opening(data, [(8, 0.05)], settings=recorded)

    contested = (
        "Settings: p1_means = failure, p2_means = failure, trajectory_length = 10000, episode_length = null, "
        "inner_start = uniform, q_start = zero, q_reset = every_loop, reward_at = arrival; all others"
    )
    assert contested in opening()
    changed = opening(q_start=2, gamma=0.9, default_state=1, cost=0.3)
    assert "gamma = 0.9, p1_means" in changed and "q_start = 2.0" in changed and "default_state = 1;" in changed
    assert "cost" not in changed and "As shipped" not in changed
    assert "As shipped the reading sets p1_means = success" in findings.opening(data, [(8, 0.05)])


def test_movement_and_opening_come_from_the_data(tmp_path):
    runs = [
        curves.run([10.0, 12.0, 11.0], kappa=0),
        curves.run([10.0, 9.0, 9.5], kappa=1, method="monte_carlo", error=0.25),
    ]
    data = results.read_curves(curves.write(tmp_path / "curves.csv", *runs))
    movement = findings.movement(data, [(8, 0.05)], "reported")
    assert "n = 8, τ = 0.05: at most 2.000 (20.00 % of the value at loop 0, κ = 0); κ = 1 ends below" in movement
    opening = findings.opening(data, [(8, 0.05)], "reported")
    assert "Reading **working**, line of n = 8 agents, τ = 0.05, κ = 0, 1: 1 seed for each" in opening
    assert "2 outer loops of 100 TD updates" in opening
    assert "J exact and simulated (standard error of a single value at most 0.25)" in opening


def test_reported_quantity_is_named_when_it_is_not_the_j_of_the_paper(tmp_path):
    data = results.read_curves(curves.write(tmp_path / "curves.csv", curves.run([1.0, 2.0], reported=0.5)))
    assert "entropy weight τ per agent" in findings.opening(data, [(8, 0.05)], "reported")
    assert summary.quantity_name(data, "regularized") == "Regularised reward J"


def test_loops_to_is_the_first_passage():
    values = np.array([[0.0, 0.6, 0.4, 0.95, 1.0], [2.0, 2.0, 2.0, 2.0, 3.0]])
    assert summary.loops_to(values, 0.5).tolist() == [1, 4]
    assert summary.loops_to(values, 0.9).tolist() == [3, 4]
    assert summary.area(values).tolist() == pytest.approx([2.45 / 4, 8.5 / 4])
