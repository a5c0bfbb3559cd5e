"""The judged claims in words, files and figures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_claims import EQUAL, FALLING, RISING, SAME, SLOWER, acting, locality, optima, table

from lpi import claims, notebook, plotting, summary
from lpi.claims import CONTRADICTED, SUPPORTED, UNTESTED
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
    with pytest.raises(ResultsError, match="cannot be read"):
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
