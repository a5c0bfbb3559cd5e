"""The replication report, its errata and the README's table of claims."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import jinja2
import pandas as pd
import pytest

from lpi import report
from lpi.claims import CLAIMS, COLUMNS
from lpi.config import SETTINGS
from lpi.report import appendix as report_appendix
from lpi.report import beyond as report_beyond
from lpi.report import coverage as report_coverage
from lpi.report import tables as report_tables
from lpi.report import text as report_text
from lpi.report import words as report_words
from lpi.results import ResultsError
from lpi.theory.verification import UNIFORM_LOSS

ROOT = Path(__file__).parents[1]
TEMPLATES = {page: (ROOT / path).read_text(encoding="utf-8") for page, path in report.TEMPLATES.items()}
TEMPLATE = TEMPLATES["docs/replication-report.md"]
REFERENCES = (
    r"Proc\. ACM Meas\. Anal\. Comput\. Syst\. 7, 1, Article 13\s+\(March 2023\)",
    r"(section|line|Algorithm|Figure|Theorem|Definition|Lemma)s? \d+(\.\d+)*",
    r"eq\. \(\d+\)",
    r"figures/studies/figure\d+\.png",
)
"""Digits that a template may hold: places in the paper, and names of files."""


@pytest.fixture(scope="module")
def errata():
    return report.read_errata(ROOT / report.ERRATA)


@pytest.fixture(scope="module")
def committed():
    return report_tables.load(ROOT / "figures")


@pytest.mark.parametrize("page", TEMPLATES)
def test_committed_pages_are_the_renderings_of_the_committed_tables(committed, errata, page):
    assert (ROOT / page).read_text(encoding="utf-8") == report.render(committed, errata, TEMPLATES[page])


def test_the_report_is_an_article_and_its_links_lead_somewhere(committed, errata):
    text = report.render(committed, errata, TEMPLATE)
    assert text.count("\n") < 400 and len(text.split()) < 8000
    pages = {page: report.render(committed, errata, TEMPLATES[page]) for page in TEMPLATES}
    pages["README.md"] = report_text.claims_block(committed)
    for page, content in pages.items():
        for target in re.findall(r"\]\(([^)]+)\)", content):
            path, _, anchor = target.partition("#")
            found = (ROOT / page).parent / path if path else ROOT / page
            assert found.exists(), (page, target)
            name = found.resolve().relative_to(ROOT).as_posix()
            assert not anchor or f'<a id="{anchor}"></a>' in pages[name], (page, target)


@pytest.mark.parametrize("page", report.BLOCKS)
def test_committed_blocks(committed, page):
    present = (ROOT / page).read_text(encoding="utf-8")
    assert report.page_with_block(page, present, committed) == present
    older = present.replace("κ = 3", "κ = 4")
    assert older != present and report.page_with_block(page, older, committed).count("κ = 3") > 0
    assert report.page_with_block(page, "no marks", committed) == "no marks"


def test_committed_errata(errata):
    assert (ROOT / report.ERRATA_LIST).read_text(encoding="utf-8") == report.errata_text(errata)


@pytest.mark.parametrize("page", TEMPLATES)
def test_no_result_is_typed_into_a_template(page):
    typed = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", TEMPLATES[page], flags=re.DOTALL)
    for pattern in REFERENCES:
        typed = re.sub(pattern, "", typed)
    assert re.findall(r".*[0-9].*", typed) == []


def test_every_erratum_points_to_what_exists(errata):
    for entry in errata:
        assert {"kind", "where", "printed", "meant", "changes"} <= set(entry), entry["where"]
        assert entry["kind"] in report.KINDS
        assert set(entry.get("settings", ())) <= set(SETTINGS), entry["where"]
        for name in entry.get("tests", ()):
            path, _, test = name.partition("::")
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_theorem_2_beta_can_be_smaller_than_kappa():
    kappa, neighbourhood, gamma, mu = 6, 13, 0.5, 16.0
    over = 2 / (1 - gamma)  # c_pe / v' by Theorem 5
    beta = (kappa + 1) / 2 * (2 * neighbourhood * over) ** (1 / mu)
    assert -(-beta // 1) < kappa


def _claims(**verdicts):
    """A table in which each claim is one part with that verdict."""
    row = dict.fromkeys(COLUMNS, 0.5) | {"agents": 8, "part": "κ 0 → 1", "unit": "reward", "seeds": 10, "note": ""}
    return pd.DataFrame(
        [row | {"claim": name, "verdict": verdict} for name, verdict in verdicts.items()], columns=list(COLUMNS)
    )


@pytest.fixture
def folder(tmp_path):
    """Committed readings, with judged claims of which two differ between the readings."""
    for name, other in (("as_printed", "contradicted"), ("working", "supported")):
        (tmp_path / name).mkdir()
        for file in ("summary.csv", "provenance.json"):
            (tmp_path / name / file).write_bytes((ROOT / "figures" / name / file).read_bytes())
        table = _claims(reward_by_tau=other, rate_own="supported", samples="not tested", kappa3_worse="contradicted")
        table.assign(reading=name).to_csv(tmp_path / name / "claims.csv", index=False)
    return tmp_path


def test_words_follow_the_verdicts(folder, errata):
    published = report_tables.load(folder)
    row = next(line for line in report_text.claims_block(published).splitlines() if "#reward_by_tau)" in line)
    assert row.split(" | ")[1:4] == ["**contradicted**", "**supported**", "not run yet"]
    text = report.render(published, errata, TEMPLATE)
    groups = report_text.groups(published, published.readings)
    assert groups["supported"] == ["rate_own"] and groups["split"] == ["reward_by_tau"]
    assert groups["contradicted"] == ["kappa3_worse"] and groups["undecided"] == []  # samples was not tested
    title = report_words.title
    reproduced, _, rest = text.partition("### What reproduced")[2].partition("Supported under some")
    assert title("rate_own") in reproduced and title("reward_by_tau") not in reproduced
    assert title("kappa3_worse") in rest.partition("### What did not")[2].partition("under the rest")[0]
    assert title("reward_by_tau") in text.partition("### What hangs on the reading")[2].partition("## The multi")[0]
    assert f"of {len(CLAIMS)} claims 2 supported, 1 contradicted, 1 not tested" in report_text.counts(
        published, "working"
    )


def test_the_conclusion_is_grammatical_and_leads_with_the_main_finding(folder, committed):
    split = report_text.conclusion(report_tables.load(folder))
    assert split == (
        "Of 3 claims that were judged, 1 is supported under every reading shown; 1 is contradicted "
        "under every reading shown; 1 is supported under one reading and contradicted under another."
    )
    for name in ("as_printed", "working"):
        _claims(reward_by_tau="supported", reward_by_size="supported").assign(reading=name).to_csv(
            folder / name / "claims.csv", index=False
        )
    both = report_text.conclusion(report_tables.load(folder))
    assert both.startswith("**That a larger κ leads to a better regularised reward")
    assert "is supported under every reading shown.**" in both
    assert (
        "1 of 1" not in both
        and "2 of 2 under `as_printed` (0 contradicted), 2 of 2 under `working` (0 contradicted)" in both
    )
    assert both.endswith("Of 2 claims that were judged, 2 are supported under every reading shown.")
    assert report_text.conclusion(committed).startswith("**")


def test_the_table_of_readings_settles_every_open_choice():
    rows = re.findall(
        r"^\| [A-Z] \|.*\| ([^|]*) \|$", (ROOT / "docs/open-choices.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    leading = {names[0] for row in rows if (names := re.findall(r"`(\w+)`", row))}
    table = report_text.readings_table()
    assert {"inner_steps", "p1_means", "step_schedule"} <= leading
    assert [name for name in sorted(leading) if f"\n| `{name}` |" not in table] == []


def test_titles_are_those_of_claims():
    assert set(report_words.TITLES) <= set(CLAIMS)
    assert report_words.title("rate_own") != CLAIMS["rate_own"].says and report_words.title("new") == "new"


def test_the_weakest_part_is_shown_under_each_reading(folder):
    path = folder / "working" / "claims.csv"
    table = pd.read_csv(path)
    rows = [table.iloc[:1].assign(claim="works_outside", part=part, statistic=value, low=value, high=value, verdict=verdict)
            for part, value, verdict in (("κ = 0", 0.4, "contradicted"), ("κ = 1", 0.6, "supported"))]  # fmt: skip
    pd.concat([table, *rows]).to_csv(path, index=False)
    assert report_text.sayings(report_tables.load(folder), ["works_outside", "samples"]) == (
        "- [works well outside the hypotheses](claims.md#works_outside): `working` 0.4\u00a0[0.4,\u00a00.4] at n = 8, τ = 0.5, "
        "κ = 0 (reward, against 0.5).\n- [larger κ needs more samples](claims.md#samples): judged in the multiverse only."
    )


def test_parts_that_could_not_be_tested_are_counted_in_the_cell(folder):
    path = folder / "working" / "claims.csv"
    table = pd.read_csv(path)
    rows = [table.iloc[:1].assign(claim="similar_rates", part=f"κ = {kappa}", verdict=verdict)
            for kappa, verdict in enumerate(("supported", "not tested", "supported"))]  # fmt: skip
    pd.concat([table, *rows]).to_csv(path, index=False)
    published = report_tables.load(folder)
    assert report_text.verdict_cell(published, "working", "similar_rates") == "not resolvable (2/3, 1 not tested)"
    pd.concat([table, *rows, rows[0].assign(verdict="contradicted")]).to_csv(path, index=False)
    published = report_tables.load(folder)
    cell = "**contradicted** (2/4, 1 contradicted, 1 not tested)"
    assert report_text.verdict_cell(published, "working", "similar_rates") == cell
    assert "the seeds do not decide, or a part could not be tested" in report_text.table_key()


def test_every_judged_claim_is_in_one_group(folder):
    path = folder / "working" / "claims.csv"
    other = path.read_text(encoding="utf-8").replace("rate_own", "rate_gap").replace("kappa3_worse", "samples")
    path.write_text(other, encoding="utf-8")
    published = report_tables.load(folder)
    found = [claim for group in report_text.groups(published, published.readings).values() for claim in group]
    assert sorted(found) == sorted(set(found))
    assert set(found) == set(published.claims["claim"])


def test_a_verdict_that_changes_changes_the_report(folder, errata):
    before = report.render(report_tables.load(folder), errata, TEMPLATE)
    path = folder / "working" / "claims.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("supported", "contradicted"), encoding="utf-8")
    published = report_tables.load(folder)
    assert report.render(published, errata, TEMPLATE) != before
    assert published.verdict("working", "reward_by_tau") == "contradicted"


def test_what_was_not_run_names_its_command(folder, errata):
    text = report.render(report_tables.load(folder), errata, TEMPLATE)
    for part in ("multiverse", "studies", "theory"):
        assert report_words.not_run(part) in text
    assert report_beyond.NOT_MEASURED in text
    assert not re.search(r"\b(nan|None)\b", text)


def test_the_multiverse_says_which_of_its_claims_hardly_go_together_and_what_is_not_of_the_design(folder):
    """Of three cases with a better reward for a larger κ one has the lower rate too; n tells two cases apart."""
    rows = [("a", 5, "supported", "supported"), ("b", 5, "supported", "contradicted"),
            ("a", 8, "supported", "contradicted"), ("c", 5, "contradicted", "supported")]  # fmt: skip
    table = pd.DataFrame(
        [(reading, agents, reading != "b", claim, verdict)
         for reading, agents, *verdicts in rows
         for claim, verdict in zip(("reward_by_size", "rate_gap"), verdicts, strict=True)],
        columns=["reading", "agents", "designed", "claim", "verdict"],
    )  # fmt: skip
    published = dataclasses.replace(report_tables.load(folder), verdicts=table)
    (said,) = report_beyond.hardly_together(published)
    assert said.endswith("`rate_gap` is supported in 1 of the 3 cases in which `reward_by_size` is.")
    assert report_beyond.hardly_together(report_tables.load(folder)) == []
    head = report_beyond.multiverse_shares(published).splitlines()[0]
    assert head == (
        "Shares in % of the readings: 2 at n = 5, 1 at n = 8. Readings added to the design, 1 at n = 5, are not counted here."
    )


def test_best_match_is_judged_by_the_multiverse_until_it_has_runs(folder):
    (folder / "multiverse").mkdir()
    verdicts = {
        "reading": ["01", "00", "00"],
        "agents": [5, 5, 5],
        "designed": [False, True, True],
        "statistic": [0.0, 0.0, 0.0],
        "p1_means": ["success", "failure", "failure"],
        "episode_length": ["null"] * 3,
        "claim": ["rate_own", "rate_own", "samples"],
        "verdict": ["contradicted", "contradicted", "supported"],
    }
    pd.DataFrame(verdicts).to_csv(folder / "multiverse/verdicts.csv", index=False)
    best = {"reading": "01", "label": "found by search", "agents": 5, "supported": 1, "claims": 2, "contradicted": 1,
            "among": 300, "tied": 4, "settings": {"p1_means": "success", "episode_length": None},
            "claims_supported": ["gap_decays"],
            "sentences": {"claims": 1, "reading": "00", "supported": 1, "contradicted": 0, "claims_supported": ["rate_own"],
                          "tied": 2, "best_supported": 0, "best_contradicted": 1}}  # fmt: skip
    (folder / "multiverse/best_match.json").write_text(json.dumps(best), encoding="utf-8")
    published = report_tables.load(folder)
    assert published.verdict("best_match", "rate_own") == "contradicted"
    # of a reading with runs, only what these do not test
    assert published.verdict("as_printed", "rate_own") == "supported"
    assert published.verdict("as_printed", "samples") == "supported"
    assert "replication-report.md#multiverse" in report_appendix.parts_table(published, "samples")
    assert (
        "the most claims supported of 300 readings at n = 5: 1 of 2, with 1 contradicted; 4 readings have these counts."
        in report_beyond.best_sentence(published)
    )
    assert "1 of its 1 supported claims are about best policies" in report_beyond.best_sentence(published)
    assert (
        "counted so, reading 00 is first with 1 and 0 (`rate_own`; 2 readings have these counts)"
        in report_beyond.best_sentence(published)
    )
    assert report_beyond.best_sentence(published).endswith("it differs from `best_match` in `p1_means` = failure.")
    # the shipped reading beside the fraction does not count
    assert "(claims.md#rate_own) | 0 | 100 |" in report_beyond.multiverse_shares(published)
    assert report_beyond.multiverse_tried(published) == ("`p1_means`: success, failure; `episode_length`: null.")
    (folder / "best_match").mkdir()
    _claims(rate_own="supported").assign(reading="best_match").to_csv(folder / "best_match/claims.csv", index=False)
    assert report_tables.load(folder).verdict("best_match", "rate_own") == "supported"


def test_theorems_and_their_failures(folder):
    (folder / "theory").mkdir()
    rows = [
        ("family", "Lemma 9", "Z", "printed", "200 MDPs", "yes", 0.0, 0.1, 60, 57, 0),
        ("family", "Lemma 9", "Z", "corrected", "200 MDPs", "yes", 1.0, 0.1, 60, 0, 0),
        ("family", "Theorem 1", "J", "printed", "200 MDPs", "yes", 1.0, 0.004, 60, 0, 60),
        ("family", "Theorem 1", UNIFORM_LOSS, "printed", "200 MDPs", "yes", 1.0, 0.005, 60, 0, 60),
        ("hypothesis", "Theorem 1", "gamma", "printed", "p1: failure", "no", 0.8, 0.95, 1, 0, 0),
    ]
    rows = [(*row, "a note" if row[0] == "hypothesis" else "") for row in rows]
    pd.DataFrame(rows, columns=list(report_tables.THEORY_COLUMNS)).to_csv(folder / "theory/theory.csv", index=False)
    published = report_tables.load(folder)
    assert "Of 2 statements" in report_beyond.theory_sentence(published)
    assert "1 is broken as printed (Lemma 9), and 1 held in every case tried." in report_beyond.theory_sentence(
        published
    )
    assert "the most that was reached is 0.4 % of that of Theorem 1." in report_beyond.theory_sentence(published)
    assert report_beyond.theory_sentence(published).endswith(
        " For Theorem 1 only cases were tried in which the bound exceeds what holds trivially."
    )
    assert "(Lemma 9) hold in every case" in report_beyond.theory_corrected(published)
    assert "57 of 60" in report_beyond.theory_broken(published)
    missed = report_beyond.theory_missed(published)
    assert "| gamma | 0.8 | 0.95 | a note |" in missed
    assert "`working` misses inner loop starts from the uniform policy" in missed and "one trajectory" in missed


def test_hypotheses_are_held_against_a_reading_of_ones_own(folder):
    (folder / "theory").mkdir()
    row = ("hypothesis", "Theorem 1", "gamma", "printed", "p1: failure", "no", 0.8, 0.95, 1, 0, 0, "")
    pd.DataFrame([row], columns=list(report_tables.THEORY_COLUMNS)).to_csv(folder / "theory/theory.csv", index=False)
    (folder / "working").rename(folder / "mine")
    record = folder / "mine/provenance.json"
    record.write_text(record.read_text(encoding="utf-8").replace('"working"', '"mine"'), encoding="utf-8")
    assert "`mine` misses inner loop starts from" in report_beyond.theory_missed(report_tables.load(folder))


def test_times_and_sizes(tmp_path, folder):
    # two jobs side by side, a pause, another job; and one of the multiverse
    ends = {"train/working/a": (90.0, 1000), "train/working/b": (60.0, 1010), "train/working/c": (30.0, 2000)}
    for name, (seconds, end) in {**ends, "multiverse/train/b": (30.0, 1500)}.items():
        path = tmp_path / "results/benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n", encoding="utf-8")
        os.utime(path, (end, end))
    for name, length in (("working/curves.csv", 2_000_000), ("multiverse/jobs/b.csv", 500_000), ("logs/x", 10**6)):
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"0" * length)
    table = report_tables.measure(tmp_path / "results")
    assert table.iloc[:, :5].values.tolist() == [
        ["default", 3, 180.0, 130.0, 2.0], ["multiverse", 1, 30.0, 30.0, 0.5]
    ]  # fmt: skip
    assert table[["cpu_seconds", "failed"]].isna().all(axis=None)  # nobody kept a journal
    journal = tmp_path / "results/logs/journal.txt"
    lines = [f"2026-11-25T08:00:{second:02d}+00:00,{what},train/working/d,{cpu}" for second, what, cpu in
             ((0, "began", ""), (9, "failed", "7.5"), (20, "began", ""), (30, "call", ""))]  # fmt: skip
    journal.write_text("\n".join(lines) + "\n", encoding="utf-8")
    spent = report_tables.measure(tmp_path / "results").set_index("part")
    assert spent.loc["default", ["cpu_seconds", "attempts", "failed", "cut_short"]].tolist() == [7.5, 5, 1, 1]
    (folder / "report").mkdir()
    (folder / "report/benchmarks.csv").write_text(spent.to_csv(), encoding="utf-8")
    total = report_words.total_cost(report_tables.load(folder))
    assert total == (
        "4 jobs, 4 min of jobs with one core each; in A, B 8 s of the processor, 6 attempts of jobs, failed 1, cut short 1"
    )
    table.assign(wall_seconds=[130.0, None]).to_csv(folder / "report/benchmarks.csv", index=False)
    published = report_tables.load(folder)
    assert report_words.cost(published, "default") == "2 min by the clock (3 min of jobs with one core each), 2 MB"
    assert report_words.cost(published, "multiverse") == "30 s of jobs with one core each, 0 MB"
    assert report_words.cost(published, "studies") == "not measured"
    assert report_words.total_cost(published).endswith(
        "; the processor's time and failed attempts are not known for A, B"
    )
    # a folder that lacks a part leaves that part's numbers as they were
    merged = report_tables.kept(table.iloc[:1].assign(jobs=7), folder).set_index("part")
    assert merged["jobs"].to_dict() == {"default": 7, "multiverse": 1}
    assert merged.loc["multiverse", "megabytes"] == 0.5 and list(merged.index) == ["default", "multiverse"]


@pytest.mark.parametrize(
    "method, quantity", [("student", "mean"), ("student", "paired difference, one so"), ("bca", "mean")]
)
def test_committed_coverage_is_what_the_command_measures(committed, monkeypatch, method, quantity):
    found = committed.coverage.set_index(["shape", "quantity", "seeds", "method", "level"])["coverage"]
    assert len(found) == len(report_coverage.SHAPES) * (3 * 2 + 2 + 1)
    for shape in ("normal", "one run in ten fails"):
        row = report_coverage.row(shape, quantity, 10, method)
        assert row[-1] == pytest.approx(found[(*row[:4], 0.95)], abs=2e-3)


def test_coverage_says_where_the_bootstrap_is_better(folder):
    (folder / "report").mkdir()
    rows = [("normal", "mean", seeds, method, 0.95, 9, share) for seeds, method, share in
            ((10, "student", 0.95), (10, "bca", 0.96), (5, "student", 0.94), (5, "bca", 0.9))]  # fmt: skip
    rows.append(("normal", "mean", 10, "student", 0.997917, 9, 0.99))
    table = pd.DataFrame(rows, columns=list(report_coverage.COLUMNS))
    table.to_csv(folder / "report/coverage.csv", index=False)
    published = report_tables.load(folder)
    assert "| normal | 95.0 / 94.0 % | 96.0 / 90.0 % |" in report_beyond.coverage_table(published)
    assert "covers 99.00 % in the worst" in report_beyond.coverage_sentences(published)
    assert report_beyond.coverage_sentences(published).endswith("The bootstrap covers more in 1 of 2 cases.")


def test_tables_that_are_not_what_they_should_be(folder, tmp_path):
    (folder / "working/claims.csv").write_text("reading,claim\nworking,rate_own\n", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"working/claims.csv: column agents, .*: missing"):
        report_tables.load(folder)
    (folder / "working/provenance.json").write_text("{", encoding="utf-8")
    with pytest.raises(ResultsError, match="working/provenance.json: cannot be read as JSON"):
        report_tables.load(folder)
    with pytest.raises(ResultsError, match="no such folder"):
        report_tables.load(tmp_path / "none")
    with pytest.raises(ResultsError, match="no measured jobs"):
        report_tables.measure(folder)


def test_an_undefined_name_is_an_error(committed, errata):
    with pytest.raises(jinja2.UndefinedError):
        report.render(committed, errata, "{{ nothing }}")


@pytest.mark.parametrize(
    "mean, half, verdict",
    [(0.0, 0.01, "supported"), (-0.3, 0.03, "contradicted"), (0.06, 0.02, "not resolvable at this sample size")],
)
def test_a_claim_that_a_study_tests_is_judged_by_the_rule_of_the_claim(folder, mean, half, verdict):
    (folder / "studies").mkdir()
    rows = [("defaults", "a", "b", kappa, "closed", 10, 0.0, *(-1e-9, 1e-9) * 2) for kappa in (0, 1)]
    rows.append(("defaults", "a", "b", 2, "closed", 10, mean, mean - half, mean + half, mean - half, mean + half))
    columns = list(report_tables.CONTRAST_COLUMNS)
    names = ["study", "first", "second", "kappa", "quantity", "seeds", "mean", "low", "high", "wide_low", "wide_high"]
    pd.DataFrame(rows, columns=names)[columns].to_csv(folder / "studies/contrasts.csv", index=False)
    published = report_tables.load(folder)
    assert report_beyond.elsewhere_verdict(published, "default_values") == verdict
    assert verdict in report_beyond.elsewhere(published, "default_values")


def test_what_the_readme_says_of_figure_4(committed):
    """At n = 8: a hop divides the loss by about ten; under `working` only kappa = 1 passes the best policy of kappa = 0."""
    losses = committed.locality
    losses = losses[(losses["agents"] == 8) & (losses["p1_means"] == "success") & (losses["p2_means"] == "success")]
    ends = committed.summaries["working"]
    ends = ends[(ends["figure"] == "figure1")].set_index(["tau", "kappa"])["gap_median"]
    passed = set()
    for tau, rows in losses.groupby("tau"):
        loss = rows.set_index("kappa")["loss"]
        assert all(5 < loss[kappa] / loss[kappa + 1] < 20 for kappa in range(3))
        assert all(ends[tau, kappa] > 10 * loss[kappa] for kappa in (2, 3))
        passed |= {(tau, kappa) for kappa in range(4) if ends[tau, kappa] < loss[0]}
    assert passed == {(0.05, 1), (0.1, 1)}


def test_what_a_new_user_waits_for_is_as_measured(tmp_path):
    assert report_words.first_figure(report_tables.load(tmp_path), "everything") == "not measured"
    (tmp_path / "report").mkdir()
    command = report_words.BEGINNINGS["everything"]
    (tmp_path / "report/first_figure.csv").write_text(
        f"command,first_seconds,wall_seconds,cpu_seconds,machine\n{command},41.2,300.0,110.0,a machine\n",
        encoding="utf-8",
    )
    said = report_words.first_figure(report_tables.load(tmp_path), "everything")
    assert said == "first figure after 41 s, all after 5 min by the clock (110 s of CPU time)"
    assert report_words.first_figure(report_tables.load(tmp_path), "one figure") == "not measured"


def test_what_looking_costs_is_as_measured(tmp_path):
    assert report_words.look(report_tables.load(tmp_path), "report") == "not measured"
    (tmp_path / "report").mkdir()
    (tmp_path / "report/looking.csv").write_text(
        "what,wall_seconds,cpu_seconds,megabytes,load,machine\n"
        "start,2.4,1.1,0.0,0.1,a machine\nreport,4.6,130.0,14.2,0.1,a machine\n",
        encoding="utf-8",
    )
    published = report_tables.load(tmp_path)
    assert report_words.look(published, "start") == "2 s by the clock (1 s of CPU time)"
    assert report_words.look(published, "report") == "5 s by the clock (2 min of CPU time), 14 MB"
    assert report_words.look(published, "install") == "not measured"


def test_what_checks_cost_is_as_measured_with_the_load_beside_it(tmp_path):
    assert report_words.check(report_tables.load(tmp_path), "tests") == "not measured"
    (tmp_path / "report").mkdir()
    head = "what,wall_seconds,cpu_seconds,megabytes,load,machine\n"
    rows = "tests,700,650,0,0.1,a machine\nsite,20.4,19,0,2.31,a machine\n"
    (tmp_path / "report/checks.csv").write_text(head + rows, encoding="utf-8")
    published = report_tables.load(tmp_path)
    assert report_words.check(published, "tests") == "12 min by the clock (11 min of CPU time)"
    assert report_words.check(published, "site") == "20 s by the clock (19 s of CPU time), other programs' load 2.3"
    assert report_words.check(published, "verify") == "not measured"


PARTS = {
    "default": ("train/mine/a", "publish/mine", "publish/acting", "package/claims_notebook", "report/gallery"),
    "multiverse": ("multiverse/train/b", "multiverse/publish", "package/multiverse_train"),
    "studies": ("studies/rows/floor_kappa0", "publish/studies", "package/studies_run"),
    "theory": ("theory/theory", "publish/theory", "package/theory_notebook", "package/theory"),
    None: (
        *("baseline/screen_kappa0", "publish/baseline", "package/baseline_run", "scaling/scaling_notebook"),
        *("publish/crate", "verify/mine/n3_tau0.05", "package/verify", "from/elsewhere"),
    ),
}
SIZES = {
    "default": (
        "mine/curves.csv",
        "mine/runs/a.csv",
        "locality/failure_failure.csv",
        "acting/a.csv",
        "report/claims.md",
    ),
    "multiverse": ("multiverse/jobs/b.csv",),
    "studies": ("studies/floors.csv", "studies/report/levels.csv"),
    "theory": ("theory/theory.csv", "theory/theory.ipynb", "theory/theory.html"),
    None: (
        *("quick/mine/curves.csv", "quick/theory/theory.csv", "figures/mine/claims.csv", "baseline/chosen.json"),
        *("scaling/scaling.html", "verify/mine/a.csv", "package/train.txt", "logs/train.log", "a.csv"),
    ),
}


def test_what_belongs_to_no_part_is_not_counted(tmp_path):
    results = tmp_path / "results"
    for job in (job for jobs in PARTS.values() for job in jobs):
        path = results / "benchmarks" / f"{job}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\n1.0\n", encoding="utf-8")
    for name in (name for names in SIZES.values() for name in names):
        path = results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * 100_000)
    (results / "logs/journal.txt").write_text(
        "".join(f"2026-11-25T08:00:00+00:00,{what},{job},1.0\n"
                for jobs in PARTS.values() for job in jobs for what in ("began", "finished")), encoding="utf-8"
    )  # fmt: skip
    table = report_tables.measure(results).set_index("part")
    assert tuple(table.index) == tuple(report_words.COMMANDS) == tuple(PARTS)[:-1]
    for part in report_words.COMMANDS:
        assert table.loc[part, "jobs"] == table.loc[part, "attempts"] == len(PARTS[part])
        assert table.loc[part, "megabytes"] == len(SIZES[part]) / 10
