"""The judged claims in words, files and figures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_claims import EQUAL, FALLING, RISING, SAME, SLOWER, acting, locality, optima, table

from lpi import claims, notebook, plotting, summary
from lpi.claims import CONTRADICTED, INVISIBLE, SUPPORTED, UNRESOLVED, UNTESTED
from lpi.claims import plot as claims_plot
from lpi.claims import report as claims_report
from lpi.results import ResultsError


@pytest.fixture(scope="module")
def judged():
    good = table(RISING, SLOWER)
    bad = table(FALLING, SAME, reading="as_printed")
    best = pd.concat([optima(), optima("as_printed")])
    acts = acting({0.2: (0.6, 0.5, 0.2), 0.8: (0.8, 0.3, 0.2)})
    return claims.evaluate(pd.concat([good, bad]), best, locality((0.13, 0.006, 3e-4, 0)), acts)


def test_the_table_survives_its_file(judged, tmp_path):
    path = tmp_path / "claims.csv"
    claims_report.write(judged, path)
    again = claims_report.read_claims(path)
    pd.testing.assert_frame_equal(again, judged, check_dtype=False, rtol=1e-11)
    claims_report.write(again, tmp_path / "again.csv")
    assert path.read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_bad_files_are_named(judged, tmp_path):
    path = tmp_path / "claims.csv"
    with pytest.raises(ResultsError, match="no such file; `.venv/bin/snakemake --cores 2`"):
        claims_report.read_claims(path)
    for changed, message in (
        (judged.drop(columns="low"), "column low: missing"),
        (judged.assign(verdict="yes"), "column verdict: 'yes' is not allowed"),
        (judged.assign(claim="all"), "column claim: 'all' is not allowed"),
    ):
        claims_report.write(changed, path)
        with pytest.raises(ResultsError, match=message):
            claims_report.read_claims(path)
    with pytest.raises(ResultsError, match="reading: None is not allowed; one of as_printed, working"):
        claims_report.to_markdown(judged)


def test_markdown_of_one_reading_has_the_weakest_part_and_the_remedy(judged):
    lines = claims_report.to_markdown(claims_report.one_reading(judged, "as_printed")).splitlines()
    assert len(lines) == 2 + len(claims.CLAIMS)
    assert all(line.count("|") == 7 for line in lines)
    (reward,) = (line for line in lines if "(each n)" in line)
    assert "**contradicted**" in reward and "0 of 18" in reward
    shown = float(re.search(r"\| (-?[\d.]+) \[", reward)[1])
    rows = judged[(judged["reading"] == "as_printed") & (judged["claim"] == "reward_by_size")]
    assert shown == pytest.approx(rows["statistic"].min(), rel=5e-3)
    (default,) = (line for line in lines if "default" in line)
    assert "**not tested**" in default and "needs the table variant" in default


def test_claims_against_readings(judged):
    lines = claims_report.by_reading(judged).splitlines()
    assert lines[0] == "| Claim | Paper | as_printed | working |"
    (reward,) = (line for line in lines if "(each τ)" in line)
    assert reward.endswith("| contradicted (0/18) | supported (18/18) |")


def test_verdict_columns_beside_the_summary(judged):
    figures = {"figure1": {"agents": [8], "taus": [0.02, 0.05]}}
    rows = summary.summarize(table(RISING, SLOWER), figures)
    columns = claims_report.summary_columns(judged, rows)
    assert list(columns) == [f"claim_{name}" for name in claims_report.SUMMARY_CLAIMS]
    assert set(columns["claim_reward"]) == {SUPPORTED}
    assert set(columns["claim_unregularized"]) == {""}  # these rows are of another quantity
    free = summary.summarize(table(RISING, SLOWER), {"figure2": {"agents": [8], "taus": [0.02, 0.05]}})
    columns = claims_report.summary_columns(judged, free)
    assert set(columns["claim_reward"]) == {""}
    assert list(columns["claim_unregularized"][free["tau"] == 0.02]) == [""] * 4  # the paper has no such panel
    # κ = 1 and 3 are in the pair that the claim has the wrong way round
    verdicts = list(columns["claim_unregularized"][free["tau"] == 0.05])
    assert verdicts == [SUPPORTED, CONTRADICTED, SUPPORTED, CONTRADICTED]
    printed = summary.to_markdown(free.join(columns)).splitlines()
    assert printed[0].endswith("| Verdicts |") and printed[-1].endswith(f"| unregularized: {CONTRADICTED} |")
    bad = claims_report.summary_columns(judged, rows.assign(reading="as_printed"))
    assert set(bad["claim_reward"]) == {CONTRADICTED}


def test_the_figure_has_a_panel_for_each_claim_that_was_tested(judged):
    one = claims_report.one_reading(judged, "working")
    figure = claims_plot.forest(one)
    tested = one[one["verdict"] != UNTESTED]["claim"].unique()
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == len(tested)
    assert [len(ax.get_yticks()) for ax in panels] == [(one["claim"] == name).sum() for name in tested]
    assert plotting.render(figure, "pdf") == plotting.render(claims_plot.forest(one), "pdf")
    untested = claims_plot.forest(one.assign(verdict=UNTESTED))
    assert not untested.axes and "no claim was tested" in untested.get_supxlabel()


def test_the_notebook_shows_the_verdicts(judged, tmp_path):
    path = tmp_path / "claims.csv"
    claims_report.write(judged, path)
    book = Path(__file__).resolve().parents[1] / "notebooks/claims.ipynb"
    values = {"table": str(path), "reading": "working", "output": str(tmp_path / "claims")}
    notebook.execute(book, values, tmp_path / "one.ipynb", tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "larger κ always leads to a better total regularized reward" in page and page.count("<img") == 1
    assert "Statistics of the claims with intervals. Reading working" in page
    assert (tmp_path / "claims.pdf").exists() and (tmp_path / "claims.png").exists()


def test_the_part_shown_is_the_worst():
    found = claims.evaluate(table(EQUAL, lambda n, kappa: n / 2), claims=["similar_rates"])
    assert abs(claims_report.weakest(found)["statistic"]) == pytest.approx(np.abs(found["statistic"]).max())


def parts(**columns):
    """Three parts of a claim: a comparison, one that is not resolvable, one not tested."""
    rows = {
        "reading": "r", "claim": "reward_by_tau", "agents": [8, 5, 8], "tau": [0.05, np.nan, 0.1],
        "part": ["κ 0 → 1", "κ 1 → 2", ""], "statistic": [0.25, 0.5, np.nan], "unit": ["reward", "reward", ""],
        "low": [0.125, -1, np.nan], "high": [0.375, 2, np.nan], "level": 0.95, "seeds": [10, 10, 0],
        "verdict": [SUPPORTED, UNRESOLVED, UNTESTED], "seeds_needed": [np.nan, 33.0, np.nan],
        "note": ["", "", "no runs of κ = 2"],
    }  # fmt: skip
    return pd.DataFrame(rows | columns)


def cells(table):
    """Those of the only row."""
    return [cell.strip() for cell in claims_report.to_markdown(table).splitlines()[2].strip("|").split("|")]


def test_a_row_of_the_markdown():
    head = [claims.CLAIMS["reward_by_tau"].says, "6.2, Figure 1", f"**{UNRESOLVED}**", "1 of 3"]
    assert cells(parts())[:4] == head
    assert cells(parts())[4:] == ["0.5 [-1, 2] reward (n = 5, κ 1 → 2)", "33 seeds; no runs of κ = 2"]
    assert cells(parts(seeds_needed=np.nan))[5] == "no number of seeds; no runs of κ = 2"
    supported = cells(parts(verdict=SUPPORTED, statistic=[0.25, 0.5, 0.75]))
    assert supported[3:] == ["3 of 3", "0.25 [0.125, 0.375] reward (n = 8, τ = 0.05, κ 0 → 1)", "–"]
    exact = cells(parts(verdict=SUPPORTED, seeds=0, statistic=[0.25, 0.5, 0.75]))
    assert exact[4] == "0.25 (exact) reward (n = 8, τ = 0.05, κ 0 → 1)"
    untested = cells(parts(verdict=UNTESTED, note=["a", "b", "a"]))
    assert untested[2:] == [f"**{UNTESTED}**", "0 of 3", "–", "a; b"]
    partly = cells(parts(verdict=[SUPPORTED, SUPPORTED, UNTESTED]))
    assert partly[5] == "no runs of κ = 2"


@pytest.mark.parametrize(
    ("verdicts", "place"),
    [
        ((SUPPORTED, INVISIBLE, SUPPORTED), 1),
        ((INVISIBLE, UNRESOLVED, SUPPORTED), 1),
        ((UNRESOLVED, SUPPORTED, CONTRADICTED), 2),
        ((SUPPORTED, UNTESTED, SUPPORTED), 0),
        ((SUPPORTED, SUPPORTED, SUPPORTED), 0),
    ],
)
def test_the_part_that_speaks_most_against_a_claim(verdicts, place):
    table = parts(verdict=verdicts, statistic=[0.25, 0.5, np.nan])
    assert claims_report.weakest(table).name == place
    assert claims_report.weakest(parts(verdict=UNTESTED)) is None


def test_of_equivalences_the_largest_difference_speaks_most_against():
    table = parts(claim="similar_rates", verdict=UNRESOLVED, statistic=[-0.5, 0.25, np.nan])
    assert claims_report.weakest(table).name == 0


@pytest.mark.parametrize(
    ("part", "kappas"),
    [("κ 0 → 13", [0, 13]), ("κ = 2", [2]), ("κ = 1, n 5 : 10", [1]), ("p_eff 2 : 4", []), ("", []), ("all 2", [])],
)
def test_kappas_of_a_part(part, kappas):
    assert claims_report._kappas(part) == kappas


def test_a_claim_that_a_reading_lacks_has_a_dash():
    table = pd.concat([parts(), parts(reading="s", claim="rate_own")])
    lines = claims_report.by_reading(table).splitlines()
    assert [line.split(" | ")[-2:] for line in lines[2:]] == [
        [f"{UNRESOLVED} (1/3)", "– |"], ["–", f"{UNRESOLVED} (1/3) |"]
    ]  # fmt: skip
    assert lines[1] == "|---|---|---|---|"


def test_a_reading_is_named_unless_there_is_one():
    two = pd.concat([parts(), parts(reading="s")])
    assert set(claims_report.one_reading(two, "s")["reading"]) == {"s"}
    assert len(claims_report.one_reading(parts())) == 3
    for reading, among in ((None, two), ("t", two), ("t", parts())):
        with pytest.raises(ResultsError, match=f"reading: {reading!r} is not allowed; one of r"):
            claims_report.one_reading(among, reading)


def test_what_is_no_table_is_named(tmp_path):
    path = tmp_path / "table.csv"
    for content in (b"", b"a,b\n1,2,3\n4\n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(ResultsError, match=r"table.csv: (not a CSV table|column low: missing)"):
            claims_report.read_table(path, ["low"])
    path.write_text("distance,low\nnone,\n")
    (row,) = claims_report.read_table(path, ["low"]).to_dict("records")
    assert row["distance"] == "none" and np.isnan(row["low"])


def test_a_panel_shows_the_statistics_with_their_intervals_and_the_value_to_exceed():
    table = parts(claim="works_outside", verdict=[SUPPORTED, CONTRADICTED, UNTESTED])
    (ax,) = [panel for panel in claims_plot.forest(table).axes if panel.get_visible()]
    segments, points, marks = [], [], []
    for line in ax.lines:
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        if line.get_linestyle() == "--":
            marks.append(x[0])
        elif len(x) == 2:
            segments.append((*x, *y, line.get_color()))
        else:
            points.append((x[0], y[0], line.get_color(), line.get_marker()))
    green, red = claims_plot.MARKS[SUPPORTED], claims_plot.MARKS[CONTRADICTED]
    assert segments == [(0.125, 0.375, 0, 0, green[0]), (-1, 2, 1, 1, red[0])]
    assert points == [(0.25, 0, *green[:2]), (0.5, 1, *red[:2])]
    assert marks == [claims.WORKS]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["n = 8, τ = 0.05, κ 0 → 1", "n = 5, κ 1 → 2"]
    low, high = sorted(ax.get_ylim())
    assert low < 0 and high > 1 and ax.yaxis_inverted()
    assert ax.get_xlabel() == "reward" and ax.get_title().replace("\n", " ") == claims.CLAIMS["works_outside"].says


def test_a_statistic_without_an_interval_is_a_point():
    table = parts(claim="works_outside", verdict=SUPPORTED, low=np.nan, statistic=[1, 2, np.inf])
    (ax,) = [panel for panel in claims_plot.forest(table).axes if panel.get_visible()]
    assert [len(line.get_xdata()) for line in ax.lines if line.get_linestyle() != "--"] == [1, 1]


def test_figures_grow_with_their_parts():
    few, many = parts(verdict=SUPPORTED, statistic=1.0), pd.concat([parts(verdict=SUPPORTED, statistic=1.0)] * 5)
    heights = [claims_plot.forest(table).get_figheight() for table in (few, many)]
    assert heights[1] - heights[0] == pytest.approx(12 * claims_plot.ROW)
    image = claims_plot.show(claims_plot.forest(few))
    assert "Reading r;" in image.alt and image.width == round(claims_plot.forest(few).get_figwidth() * 120)


@pytest.mark.parametrize("name", ["reward_by_tau", "similar_rates"])
def test_dashed_lines_are_the_value_to_exceed_or_the_margin(name):
    figure = claims_plot.forest(parts(claim=name, verdict=SUPPORTED))
    (ax,) = [panel for panel in figure.axes if panel.get_visible()]
    dashed = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == {"reward_by_tau": [0], "similar_rates": [-claims.SIMILAR, claims.SIMILAR]}[name]
