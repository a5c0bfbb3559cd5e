"""The studies as data, their runs, and what is read from rows whose truth is known."""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lpi.algorithm import train
from lpi.claims import intervals
from lpi.config import resolve
from lpi.results import ResultsError
from lpi.studies import design
from lpi.studies import plot as studies_plot
from lpi.studies import results as studies_results
from lpi.studies import run as studies_run
from lpi.studies.design import CHOSEN, FACTORS, PRINTED, SCREENINGS, STUDIES, chosen_study, environment_key, screened

UNIFORM, FLOOR = 36.0, 37.0
PICK = {
    name: {str(kappa): list(screened(screening))[kappa] for kappa in range(4)} for name, screening in SCREENINGS.items()
}
"""A different variant for each kappa."""


def _closed(study: str, variant: str, kappa: int, seed: int, m: int) -> float:
    """A made-up share of the gap: `screening` prefers steps per visit, `samples` crosses, the rest learns a little."""
    noise = 0.004 * np.sin(13.7 * seed + kappa)
    if m == 0:
        return 0.0
    if study in ("screening", "screening_5"):
        return 1.0 if "per visit" in variant and m >= 2 else 0.6
    if study == "screening_8":
        return 0.6 if ("optimistic" in variant) == (kappa > 1) and m >= 2 else 0.2
    if study in ("samples", "samples_million"):
        size = np.log10(int(variant.split(" = ")[1]))
        return 0.2 * size - kappa * (4 - size) * 0.05 + noise
    if study == "defaults":
        return 0.5 + noise
    if study.startswith("needed"):
        return {PRINTED: 0.1, "working": 0.7, CHOSEN: 0.95}[variant] if m >= 2 else 0.3
    if study.startswith("truncation"):
        return 0.9 - 0.2 * (m - 1) if variant == "beta = kappa" else 0.9
    return 0.3 + 0.1 * ("optimistic" in variant) + noise


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Rows of every study and the floors, as files."""
    folder = tmp_path_factory.mktemp("studies")
    floors, paths = {}, []
    for name in STUDIES:
        study, table = STUDIES[name], []
        for variant in study.variants:
            for kappa in study.kappas:
                settings = chosen_study(name, PICK, kappa).resolve(variant, kappa)
                floors[(*environment_key(settings), kappa)] = (UNIFORM, FLOOR, FLOOR)
                for seed in (0,) if study.expected else study.seeds:
                    for m in range(4):
                        value = UNIFORM + (FLOOR - UNIFORM) * _closed(name, variant, kappa, seed, m)
                        rest = (np.nan,) * 3 if study.expected else (m * 1000, 0.1 * m, 0.3)
                        table.append(
                            (
                                name,
                                variant,
                                settings.environment.agents,
                                kappa,
                                seed,
                                m,
                                rest[0],
                                value,
                                value - 2,
                                rest[1],
                                1 - 0.1 * m,
                                rest[2],
                            )
                        )
        path = folder / f"{name}.csv"
        pd.DataFrame(table, columns=studies_run.COLUMNS).to_csv(path, index=False)
        paths.append(path)
    rows = [(*key, *values) for key, values in floors.items()]
    columns = ["agents", "convention", "rho", "tau", "kappa", "uniform", "floor", "optimum"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "floors.csv", index=False)
    visits = [("success", 20, kappa, 10, 10.0 ** -(kappa + 1)) for kappa in range(4)]
    columns = ["convention", "episode_length", "kappa", "pairs", "xi"]
    pd.DataFrame(visits, columns=columns).to_csv(folder / "visits.csv", index=False)
    return folder, paths


@pytest.fixture(scope="module")
def rows(made_up):
    folder, paths = made_up
    return studies_results.read(paths, folder / "floors.csv", PICK)


def test_all_settings_of_all_studies_are_allowed():
    for name, study in STUDIES.items():
        for variant in study.variants:
            for kappa in study.kappas:
                settings = chosen_study(name, PICK, kappa).resolve(variant, kappa)
                assert settings.training.kappa == kappa
        assert set(sum(study.contrasts, ())) <= set(study.variants)


def test_explored_and_confirmed_seeds_differ():
    for name, study in STUDIES.items():
        assert not {*study.seeds} & {*design.EXPLORING} or name in FACTORS
    assert all(STUDIES[name].seeds == design.EXPLORING for name in FACTORS)


@pytest.mark.parametrize("name", FACTORS)
def test_every_combination_is_screened_within_the_budget(name):
    assert len(screened(name)) == np.prod([len(values) for values in FACTORS[name].values()])
    for variant, values in screened(name).items():
        training = STUDIES[name].resolve(variant, 1).training
        assert training.outer_loops * training.trajectory_length == STUDIES[name].settings["budget"]
        assert training.beta == 1 + values["beta_beyond_kappa"]


@pytest.mark.parametrize("name", SCREENINGS)
@pytest.mark.parametrize("kappa", [0, 1, 2, 3])
def test_the_settings_chosen_for_a_kappa_are_confirmed(name, kappa):
    settings = chosen_study(name, PICK, kappa).resolve(CHOSEN, kappa)
    picked = STUDIES[SCREENINGS[name]].resolve(PICK[name][str(kappa)], kappa)
    assert settings == picked


@pytest.mark.parametrize("name", SCREENINGS)
def test_all_curves_of_figure_7_have_the_same_budget_and_environment(name):
    found = set()
    for kappa in range(4):
        study = chosen_study(name, PICK, kappa)
        for variant in study.variants:
            settings = study.resolve(variant, kappa)
            drawn = settings.training.outer_loops * settings.training.trajectory_length
            found.add((drawn, settings.environment))
    assert len(found) == 1


def test_rows_are_the_runs(monkeypatch):
    """A small study: ends of every curve, the seeds in order, what `train` finds."""
    study = design.Study(
        "?", {"agents": 3, "outer_loops": 2, "trajectory_length": 50}, {"a": {}, "b": {"eta": 1}}, seeds=(4, 5)
    )
    monkeypatch.setitem(STUDIES, "small", study)
    found = pd.DataFrame(studies_run.rows("small", 1))
    assert list(found.columns) == list(studies_run.COLUMNS)
    assert found[["variant", "seed", "outer_loop"]].values.tolist() == [
        [variant, seed, m] for variant in "ab" for seed in (4, 5) for m in (0, 2)
    ]
    settings = study.resolve("b", 1)
    expected = train(studies_run.model(settings), settings.training, 5, settings.reporting).records[-1]
    assert found.iloc[-1]["regularized"] == expected.regularized
    assert found.iloc[-1]["samples"] == 100


def test_expected_rows_have_no_samples(monkeypatch):
    study = design.Study("?", {"agents": 3, "outer_loops": 2}, {"a": {}}, kappas=(0,), expected=True, keep="all")
    monkeypatch.setitem(STUDIES, "small", study)
    found = list(studies_run.rows("small", 0))
    assert [row["outer_loop"] for row in found] == [0, 1, 2]
    assert {row["samples"] for row in found} == {""}


def test_the_command_writes_the_rows_of_a_study_whole(monkeypatch, tmp_path):
    study = design.Study("?", {"agents": 3, "outer_loops": 1, "trajectory_length": 50}, {"a": {}}, seeds=(4,))
    monkeypatch.setitem(STUDIES, "small", study)
    studies_run.main(["run", "small", "--kappa", "1", "--output", str(tmp_path / "deep/rows.csv")])
    table = pd.read_csv(tmp_path / "deep/rows.csv")
    expected = pd.DataFrame(studies_run.rows("small", 1))
    assert list(table.columns) == list(studies_run.COLUMNS) and len(table) == len(expected) == 2
    assert table["regularized"].tolist() == pytest.approx(expected["regularized"].tolist(), rel=1e-9)
    with pytest.raises(SystemExit):
        studies_run.main(["run", "smaller", "--kappa", "1", "--output", str(tmp_path / "none.csv")])
    assert not (tmp_path / "none.csv").exists()


def test_floors_rise_with_kappa_to_the_optimum(monkeypatch):
    settings = resolve("working", {"agents": 3, "tau": 0.05})
    key = design.environment_key(settings)
    monkeypatch.setattr(studies_run, "environments", lambda: [(key, settings, 2)])
    found = list(studies_run.floors())
    assert [(row["agents"], row["kappa"]) for row in found] == [(3, 0), (3, 1), (3, 2)]
    assert len({(row["uniform"], row["optimum"]) for row in found}) == 1
    floors = [row["floor"] for row in found]
    assert found[0]["uniform"] < floors[0] < floors[1] < floors[2] == pytest.approx(found[0]["optimum"], abs=1e-5)


def test_visits_are_the_published_ones():
    """The short episodes alone: the long ones take minutes."""
    published = pd.read_csv(Path(__file__).parents[1] / "figures/studies/visits.csv", nrows=8)
    found = pd.DataFrame(itertools.islice(studies_run.visits(), 8))
    assert found.columns.tolist() == published.columns.tolist()
    assert (found[["episode_length", "kappa", "pairs"]] == published[["episode_length", "kappa", "pairs"]]).all(
        axis=None
    )
    assert found["xi"].tolist() == pytest.approx(published["xi"].tolist(), rel=1e-5)


@pytest.mark.parametrize(
    "closed, samples",
    [([0, 0.6, 0.7], 100), ([0, 0.6, 0.4, 0.55], 300), ([0, 0.6, 0.4], np.inf), ([0.5, 0.9], 0), ([0, 0], np.inf)],
)
def test_needed_is_reached_and_kept(closed, samples):
    curve = pd.DataFrame({"closed": closed, "outer_loop": range(len(closed)), "seed": 7})
    curve["samples"] = 100 * curve["outer_loop"]
    assert studies_results.needed(curve.sample(frac=1, random_state=0), 0.5).to_dict() == {7: samples}


def test_intervals_are_students_and_widen_with_the_family():
    values = [1.0, 2.0, 4.0]
    mean, low, high = studies_results.interval(values)
    assert (mean, low, high) == intervals.student(values)[:3]
    _, *wide = studies_results.interval(values, 5)
    assert wide == list(intervals.student(values, 0.99)[1:3]) and wide[0] < low
    assert np.isnan(studies_results.interval([2.0])[1:]).all()


def test_a_study_is_one_family(rows):
    found = studies_results.contrasts(rows)
    for name, part in found.groupby("study"):
        quantities = part["quantity"].nunique()
        assert len(part) == len(STUDIES[name].contrasts) * len(STUDIES[name].kappas) * quantities
        np.testing.assert_allclose(part["level"], 1 - 0.05 / len(part))
    assert (found["wide_low"] <= found["low"]).all() and (found["wide_high"] >= found["high"]).all()
    steps = studies_results.between_kappas(rows, "closed")
    part = steps[steps["study"] == "samples"]
    np.testing.assert_allclose(part["level"], 1 - 0.05 / (3 * len(STUDIES["samples"].variants)))


def test_a_run_that_two_variants_share_is_made_once(monkeypatch):
    calls = []
    monkeypatch.setattr(studies_run, "_runs", lambda study, settings: calls.append(settings) or [])
    list(studies_run.rows("screening_8", 3))
    assert len(calls) == len(screened("screening_8")) / 2  # beta beyond kappa = 3 is cut off


def test_shares_of_the_gap(rows):
    part = rows[(rows["study"] == "needed") & (rows["variant"] == CHOSEN)]
    assert sorted(part["closed"].round(6).unique()) == [0, 0.3, 0.95]
    ends = part[part["outer_loop"] == 3]
    # the entropy term is 2 throughout: all of the gain is unregularised, whatever the entropy weighs
    np.testing.assert_allclose(ends["reported_gain"], 0.95)
    np.testing.assert_allclose(ends["unregularized_gain"], 0.95)


def test_the_reported_gain_weighs_entropy_per_agent(rows, made_up, tmp_path):
    folder, _ = made_up
    table = rows[rows["study"] == "metric"][list(studies_run.COLUMNS)].copy()
    lost = table["outer_loop"] > 0
    table.loc[lost, "unregularized"] += 0.8  # J stays, so the entropy term falls by 0.8
    path = tmp_path / "rows.csv"
    table.to_csv(path, index=False)
    found = studies_results.read([path], folder / "floors.csv")
    end = found[found["outer_loop"] == 3]
    np.testing.assert_allclose(end["reported_gain"], end["unregularized_gain"] - 0.8 / 8)


def test_the_best_of_each_screening_is_chosen_for_each_kappa(rows):
    found = studies_results.choose(rows)
    assert set(found["variants"]) == set(SCREENINGS)
    assert all("per visit" in variant for variant in found["variants"]["needed"].values())
    by_kappa = found["variants"]["needed_8"]
    assert ["optimistic" in by_kappa[str(kappa)] for kappa in range(4)] == [False, False, True, True]
    assert found["settings"]["n = 8, κ = 3"] == by_kappa["3"]
    effects = studies_results.effects(studies_results.scores(rows, "screening"), "screening")
    effects = effects.set_index(["factor", "second"])
    assert effects.loc[("steps", "per visit"), "high"] < 0
    assert effects.loc[("eta", "1.0"), ["low", "high"]].tolist() == [0, 0]


def test_a_tie_goes_to_the_larger_share_at_the_end(rows):
    """No variant reaches a share: all scores are alike."""
    lost = rows[rows["study"].isin(FACTORS)].copy()
    lost["closed"] = 0.1 + 0.1 * (lost["variant"].str.contains("q_start = optimistic, beta_beyond_kappa = 1"))
    found = studies_results.choose(lost)["variants"]
    assert all("q_start = optimistic, beta_beyond_kappa = 1" in v for study in found.values() for v in study.values())


def test_prices_say_what_was_not_reached(rows):
    prices = studies_results.prices(rows).set_index(["study", "variant", "kappa", "share"])
    assert prices.loc[("needed", CHOSEN, 2, 0.9), "median"] == 2000
    assert prices.loc[("needed", "working", 2, 0.9), "median"] == np.inf
    assert prices.loc[("needed", "working", 2, 0.9), ["reached", "budget"]].tolist() == [0, 3000]
    assert prices.loc[("needed_8", PRINTED, 0, 0.5), "seeds"] == 5


def test_where_the_curves_cross(rows):
    from lpi.studies.text import crossings

    found = crossings(studies_results.between_kappas(rows, "regularized")).set_index("kappa")
    assert found["worse_up_to"].tolist() == [3_000] * 3
    assert found["better_from"].tolist() == [30_000] * 3


def test_an_effect_that_turns_at_the_choice_is_said():
    """On average 0.05 is better, but the best variant has eta = 1."""
    from lpi.studies.text import advice

    design = screened("screening")
    score = pd.Series({name: 5.0 + 0.5 * (values["eta"] == 1.0) for name, values in design.items()})
    pick = next(name for name, values in design.items() if values["eta"] == 1.0)
    score[pick] = 4.0
    effects = studies_results.effects(score.to_frame(), "screening")
    eta = effects.set_index("factor").loc["eta"]
    assert eta["low"] > 0 and eta["at_choice"] == -1.0
    empty = pd.DataFrame(columns=["agents", "study", "kappa", "variant", "closed", "outer_loop", "share", "median"])
    lines = advice({"effects": effects, "prices": empty, "loops": empty}, {"settings": {"n = 5, κ = 1": "eta = 1.0"}})
    line = next(line for line in lines if line.startswith("eta (screening): 0.05 rather than 1.0"))
    assert "there 1.0 needs 10 times fewer" in line
    assert lines[0] == "n = 5, κ = 1: of the settings screened with other seeds, eta = 1.0."


def test_advice_says_what_is_never_reached():
    from lpi.studies.text import _outcomes

    medians = {("working", 0): 4e4, ("working", 1): np.inf, ("working", 2): np.inf, ("working", 3): 1e6}
    medians |= {(CHOSEN, 0): 2e4, (CHOSEN, 1): 3e4, (CHOSEN, 2): np.inf, (CHOSEN, 3): np.inf}
    prices = pd.DataFrame([(8, 0.5, k, v, m, 1e7) for (v, k), m in medians.items()],
                          columns=["agents", "share", "kappa", "variant", "median", "budget"])  # fmt: skip
    (line,) = _outcomes(prices)
    assert "the samples of the chosen settings: 2 (κ = 0)" in line
    assert "only the chosen settings reach it: κ = 1" in line and "only `working` reaches it: κ = 3" in line
    assert "**neither reaches it**: κ = 2" in line


@pytest.mark.parametrize(
    "mean, low, high, word",
    [
        (0.2, 0.1, 0.3, "more"),
        (-0.2, -0.3, -0.1, "less"),
        (0.1, -0.1, 0.3, "no difference seen"),
        (0.0004, 0.0003, 0.0005, "no difference seen"),
    ],
)
def test_words_follow_the_widened_interval(mean, low, high, word):
    from lpi.studies.text import difference

    row = argparse.Namespace(mean=mean, low=mean, high=mean, wide_low=low, wide_high=high)
    assert difference(row).endswith(f"({word})")


@pytest.fixture(scope="module")
def report(made_up, tmp_path_factory):
    folder, paths = made_up
    chosen, output = folder / "chosen.json", tmp_path_factory.mktemp("report")
    files = ["--rows", *map(str, paths), "--floors", str(folder / "floors.csv")]
    studies_results.main(["choose", *files, "--output", str(chosen)])
    others = ["--visits", str(folder / "visits.csv"), "--chosen", str(chosen), "--folder", str(output)]
    studies_results.main(["report", *files, *others])
    return output


def test_the_report(report):
    text = (report / "studies.md").read_text(encoding="utf-8")
    for name in STUDIES:
        assert f"## {name}: " in text
    advice = text[text.index("## Advice") :]
    assert "steps (screening): per visit rather than constant 0.1" in advice
    assert "stop early" in advice and "nan" not in text
    assert "not within 3e+03 samples" in text
    chosen = json.loads((report / "chosen.json").read_text())["variants"]["needed"]
    assert all(variant in screened("screening_5") for variant in chosen.values())


def test_the_figures(report):
    tables = studies_plot.read(report)
    explanations, figure7 = studies_plot.explanations(tables), studies_plot.figure7(tables)
    assert len(explanations.axes) == 6 and len(figure7.axes) == 6
    arrows = [line for line in figure7.axes[0].get_lines() if line.get_marker() == "^"]
    assert sum(len(line.get_xdata()) for line in arrows) == 8  # as printed reaches neither share for any kappa
    assert [words.get_text() for words in figure7.axes[0].texts] == ["0 of 10"] * 8
    assert [figure7.axes[row].get_ylabel().splitlines()[1] for row in (0, 3)] == [
        f"(median of {seeds} seeds)" for seeds in (10, 5)
    ]
    with pytest.raises(ResultsError, match="levels.csv: no such file"):
        studies_plot.read(report / "nothing")
