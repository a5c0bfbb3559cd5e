"""The multiverse: its design, its runs, verdicts, effects, figures."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from test_workflow import Clone

from lpi import claims, cli, results
from lpi.config import ConfigError, flat, resolve
from lpi.multiverse import effects as multiverse_effects
from lpi.multiverse import plot as multiverse_plot
from lpi.multiverse import text as multiverse_text
from lpi.multiverse import verdicts as multiverse_verdicts
from lpi.multiverse.design import load

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "config/multiverse.yaml"
TINY = {
    "choices": {"inner_start": ["uniform", "carried"], "q_start": ["zero", "optimistic"], "entropy_weight": ["network", "agent"]},
    "defining_words": [["inner_start", "q_start"]],
    "blocks": [{"agents": 3, "settings_per_job": 1}, {"agents": 2, "only": {"inner_start": ["carried"]}}],
    "also": [],
    "kappas": [0, 1],
    "seeds": [0, 1],
    "settings": {"trajectory_length": 200, "outer_loops": 3},
}  # fmt: skip


def write(path, **changes):
    path.write_text(yaml.safe_dump({**TINY, **changes}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shipped():
    return load(SHIPPED)


def test_the_shipped_design_holds_what_the_study_needs(shipped):
    at_5, at_8 = shipped.readings(5), shipped.readings(8)
    assert sum(reading.designed for reading in at_5) == 128 * 3 * 2
    assert sum(reading.designed for reading in at_8) == 16 * 2 * 2
    names = {reading.name for reading in at_5}
    assert len(names) == len(at_5) and {reading.name for reading in at_8 if reading.designed} <= names
    assert {shipped.name_of("as_printed"), shipped.name_of("working")} <= names & {reading.name for reading in at_8}
    assert shipped.kappas == (0, 1, 2, 3) and len(shipped.seeds) == 5
    assert sum(len(cases) for cases in shipped.jobs().values()) == 385 + 34


def test_first_values_are_those_of_as_printed(shipped):
    printed = shipped.values_of("as_printed", shipped.choices)
    assert {key: shipped.choices[key][0] for key in printed if key != "trajectory_length"} == {
        key: value for key, value in printed.items() if key != "trajectory_length"
    }
    assert shipped.choices["trajectory_length"] == (10**3, 10**4, 10**5)


def _coded(design, agents):
    """Two-valued choices as -1, 1 by reading of the fraction."""
    keys = [key for key, values in design.choices.items() if len(values) == 2]
    readings = [reading for reading in design.readings(agents) if reading.designed]
    rows = [[2 * design.choices[key].index(reading.values[key]) - 1 for key in keys] for reading in readings]
    return keys, np.array(rows)


def test_main_effects_and_pairs_at_five_agents_are_orthogonal_within_each_trajectory_length(shipped):
    lengths = [r.values["trajectory_length"] for r in shipped.readings(5) if r.designed]
    keys, coded = _coded(shipped, 5)
    pairs = [coded[:, a] * coded[:, b] for a, b in itertools.combinations(range(len(keys)), 2)]
    for length in shipped.choices["trajectory_length"]:
        matrix = np.column_stack([np.ones(len(coded)), coded, *pairs])[np.array(lengths) == length]
        assert np.array_equal(matrix.T @ matrix, len(matrix) * np.eye(matrix.shape[1]))


def test_main_effects_at_eight_agents_are_orthogonal_to_each_other_and_to_pairs(shipped):
    coded = _coded(shipped, 8)[1]
    varying = coded[:, [len(set(column)) == 2 for column in coded.T]]
    assert varying.shape == (64, 7)
    pairs = [varying[:, a] * varying[:, b] for a, b in itertools.combinations(range(7), 2)]
    assert not (varying.T @ np.column_stack([np.ones(64), *pairs])).any()
    assert np.array_equal(varying.T @ varying, 64 * np.eye(7))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choices": []}, r"choices: \[\] is not allowed; a mapping"),
        ({"choices": {"rh": [1, 2]}}, r"choices.rh: no such key; did you mean 'rho'\?"),
        ({"choices": {"kappa": [1, 2]}}, r"choices.kappa: no such key"),
        ({"choices": {"rho": ["uniform"]}}, r"choices.rho: \['uniform'\] is not allowed; a list of 2 or more"),
        ({"choices": {"rho": ["uniform", "flat"]}}, r"rho: 'flat' is not allowed; 'uniform' or"),
        ({"choices": {"episode_length": list(range(1, 12))}}, r"choices.episode_length: 11 values are not allowed"),
        ({"defining_words": [["rho"]]}, r"defining_words: 'rho' is not allowed; one of the two-valued choices inner_start"),
        ({"defining_words": [["entropy_weight"]]}, "defining_words: 'entropy_weight' is not allowed"),
        ({"blocks": []}, r"blocks: \[\] is not allowed; a list of 1 or more"),
        ({"blocks": [{"agents": 3}, {"agents": 3, "only": {}}]}, r"blocks: \[3, 3\] is not allowed"),
        ({"blocks": [{"agents": 3, "only": {"q_start": [7]}}]}, r"blocks.only.q_start: 7 is not allowed; one of \['zero'"),
        ({"blocks": [{"agents": 3, "jobs": 2}]}, "blocks.jobs: no such key"),
        ({"blocks": [{"agents": 3, "settings_per_job": 0}]}, "blocks.settings_per_job: 0 is not allowed; an integer >= 1"),
        ({"also": ["mine"]}, "also: 'mine' is not allowed; one of as_printed, working"),
        (
            {"choices": {"rho": ["all_infected", "one_infected"]}, "defining_words": [], "blocks": [{"agents": 3}], "also": ["working"]},
            r"also: 'working' is not allowed; its rho is 'uniform', the choices are \['all_infected', 'one_infected'\]",
        ),
        ({"kappas": [-1]}, "kappa: -1 is not allowed"),
        ({"seeds": [True]}, "seeds: True is not allowed"),
        ({"settings": {"tau": -1}}, "tau: -1 is not allowed"),
        ({"settings": {"q_start": "zero"}}, "settings.q_start: 'zero' is not allowed; it is one of the choices"),
        ({"settings": {"graph": "ring"}}, "settings.graph: no such key"),
        ({"settings": {"default_state": 4}}, "default_state: 4 is not allowed"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_design_is_one_line(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as caught:
        load(write(tmp_path / "design.yaml", **changes))
    assert str(caught.value).startswith(f"{tmp_path}/design.yaml: ") and "\n" not in str(caught.value)


def test_a_missing_or_broken_design_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"multiverse: .* is not allowed \(No such file or directory\)"):
        load(tmp_path / "none.yaml")
    incomplete = {key: value for key, value in TINY.items() if key != "seeds"}
    (tmp_path / "some.yaml").write_text(yaml.safe_dump(incomplete), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"design.seeds: missing; the keys are choices"):
        load(tmp_path / "some.yaml")


def test_a_fingerprint_follows_what_is_trained(tmp_path):
    def prints(**changes):
        design = load(write(tmp_path / "design.yaml", **changes))
        return {name: design.fingerprint(cases) for name, cases in design.jobs().items()}

    first = prints()
    assert list(first) == ["n3_000", "n3_001", "n2_000"] and len(set(first.values())) == 3
    assert prints() == first
    assert prints(settings={**TINY["settings"], "cost": 0.3}) == first  # the default
    assert not set(prints(seeds=[0, 2]).values()) & set(first.values())
    assert not set(prints(settings={**TINY["settings"], "cost": 0.2}).values()) & set(first.values())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny multiverse whose jobs have been run."""
    folder = tmp_path_factory.mktemp("multiverse")
    path = write(folder / "design.yaml")
    design = load(path)
    for job in design.jobs():
        assert (
            cli.main(["multiverse", "train", "--design", str(path), "--job", job, "--output", f"{folder}/{job}.csv"])
            == 0
        )
    return folder, design


def _files(folder, agents):
    return sorted(folder.glob(f"n{agents}_*.csv"))


def test_shared_runs_are_the_numbers_of_separate_runs(trained, tmp_path):
    folder, design = trained
    table = multiverse_verdicts.read_jobs(_files(folder, 3), design, 3)
    compared = 0
    for reading, curves in multiverse_verdicts.curves_of(design, 3, table):
        for kappa, seed in itertools.product(design.kappas, design.seeds):
            values = {**design.settings, **reading.values, "evaluation": "exact"}
            assignments = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
            output = tmp_path / f"{reading.name}_{kappa}_{seed}.csv"
            arguments = ["train", "--custom", "--reading", "mine", "--agents", "3", "--kappa", str(kappa), *assignments]
            assert cli.main([*arguments, "--seed", str(seed), "--output", str(output), "--quiet"]) == 0
            alone = results.read_curves(output).drop(columns=["reading", "td_error"])
            shared = curves[(curves["kappa"] == kappa) & (curves["seed"] == seed)].reset_index(drop=True)
            pd.testing.assert_frame_equal(shared[alone.columns], alone, check_exact=True, check_dtype=False)
            compared += 1
    assert compared == 4 * 2 * 2


def test_a_jobs_file_holds_the_text_of_a_run(trained, tmp_path):
    folder, design = trained
    (case,) = design.jobs()["n3_001"]
    settings = [
        word for key, value in {**case.values, **design.settings}.items() for word in ("--set", f"{key}={value}")
    ]
    arguments = ["train", "--custom", "--reading", "mine", "--agents", "3", "--kappa", "1", "--seed", "1", *settings]
    assert cli.main([*arguments, "--output", str(tmp_path / "run.csv"), "--quiet"]) == 0
    measured = ("outer_loop", "regularized", "unregularized", "visited_share", "entropy")

    def texts(path, **wanted):
        with open(path, encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]
        return [[row[name] for name in measured] for row in rows]

    assert texts(folder / "n3_001.csv", kappa="1", seed="1") == texts(tmp_path / "run.csv")


def test_curves_that_are_not_those_of_the_design_are_refused(trained, tmp_path):
    folder, design = trained
    with pytest.raises(results.ResultsError, match="curves: 16 rows are not those of the design at 3 agents"):
        multiverse_verdicts.read_jobs(_files(folder, 3)[:1], design, 3)
    with pytest.raises(results.ResultsError, match="no such file"):
        multiverse_verdicts.read_jobs([tmp_path / "none.csv"], design, 3)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(results.ResultsError, match="columns a, b are not allowed"):
        multiverse_verdicts.read_jobs([tmp_path / "other.csv"], design, 3)


def test_an_unknown_job_is_one_line(trained, tmp_path, capsys):
    path = str(trained[0] / "design.yaml")
    options = ["multiverse", "train", "--design", path, "--job", "n9_000", "--output", str(tmp_path / "x.csv")]
    assert cli.main(options) == 2
    assert capsys.readouterr().err == "lpi multiverse: job: 'n9_000' is not allowed; one of n3_000 ... n2_000\n"
    assert not (tmp_path / "x.csv").exists()


def test_every_reading_is_judged_on_its_own_curves(trained):
    folder, design = trained
    table = multiverse_verdicts.read_jobs(_files(folder, 3), design, 3)

    def evaluate(reading, curves):
        assert set(curves["reading"]) == {reading.name} and len(curves) == 2 * 2 * 4
        last = curves.loc[curves["outer_loop"] == 3, "reported"].mean()
        judged = dict.fromkeys(multiverse_verdicts.JUDGED, 0) | {
            "claim": "last",
            "statistic": last,
            "verdict": "supported",
        }
        return pd.DataFrame([judged])

    verdicts, finals = multiverse_verdicts.judge(design, 3, table, evaluate)
    assert list(verdicts["reading"]) == [reading.name for reading in design.readings(3)] == ["000", "001", "110", "111"]
    assert verdicts[[*design.choices]].to_numpy().tolist() == [
        [start, q, weight] for start, q in (("uniform", "zero"), ("carried", "optimistic")) for weight in ("network", "agent")
    ]  # fmt: skip
    shared = finals.pivot(index="reading", columns="kappa", values="final_regularized")
    assert shared.loc["000"].equals(shared.loc["001"]) and not shared.loc["000"].equals(shared.loc["110"])
    network, agent = verdicts["statistic"][:2]
    unregularized = finals.loc[finals["reading"] == "000", "final_unregularized"].mean()
    assert agent == pytest.approx(unregularized + (network - unregularized) / 3, abs=1e-12)
    assert len(finals) == 4 * 2 and set(finals.columns) == {
        "agents",
        "reading",
        "designed",
        "kappa",
        *multiverse_verdicts.FINALS,
    }


def planted(design, agents, truth, noise=0.05):
    """Verdicts whose statistic is `truth` of the choices' positions, with noise; supported where it is above 0.5."""
    rng, rows = np.random.default_rng(1), []
    for reading in design.readings(agents):
        at = {key: design.choices[key].index(value) for key, value in reading.values.items()}
        statistic = truth(at) + noise * rng.standard_normal()
        verdict = "supported" if statistic > 0.5 else "contradicted" if statistic < -0.5 else claims.UNRESOLVED
        chosen = {key: multiverse_effects.text_of(value) for key, value in reading.values.items()}
        about = {"agents": agents, "reading": reading.name, "designed": reading.designed, **chosen}
        rows.append({**about, "claim": "planted", "statistic": statistic, "verdict": verdict})
    return pd.DataFrame(rows)


def _effect(found, choice, value, other="", other_value="", outcome="statistic"):
    names = ("outcome", "choice", "value", "with_choice", "with_value")
    wanted = dict(zip(names, (outcome, choice, value, other, other_value), strict=True))
    (row,) = found[np.logical_and.reduce([found[key] == text for key, text in wanted.items()])].itertuples()
    return row


def test_planted_effects_and_pairs_are_found_and_nothing_else(shipped):
    def truth(at):
        return at["p1_means"] + 0.5 * (at["trajectory_length"] == 2) - at["q_start"] * at["q_reset"]

    found = multiverse_effects.effects(planted(shipped, 5, truth), shipped, 5)
    alone = _effect(found, "p1_means", "success")
    assert alone.low < 1 < alone.high and alone.clear and alone.high - alone.low < 0.05
    assert _effect(found, "trajectory_length", "100000").effect == pytest.approx(0.5, abs=0.03)
    assert _effect(found, "q_start", "optimistic").effect == pytest.approx(-0.5, abs=0.03)
    assert _effect(found, "q_start", "optimistic", "q_reset", "once").effect == pytest.approx(-1, abs=0.05)
    names = ["choice", "value", "with_choice"]
    clear = found[(found["outcome"] == "statistic") & found["clear"]][names].to_numpy().tolist()
    assert clear == [
        ["p1_means", "success", ""],
        ["q_start", "optimistic", ""],
        ["q_reset", "once", ""],
        ["trajectory_length", "100000", ""],
        ["q_start", "optimistic", "q_reset"],
    ]
    assert _effect(found, "p1_means", "success", outcome="supported").clear
    assert _effect(found, "rho", "one_infected", outcome="supported").clear is False


def test_an_effect_is_the_difference_of_means_and_its_interval_the_jackknifes(shipped):
    table = planted(shipped, 5, lambda at: at["rho"] * at["p2_means"], noise=0.5)
    row = _effect(multiverse_effects.effects(table, shipped, 5), "rho", "one_infected")
    used = table[table["designed"]]
    means = used.groupby("rho")["statistic"].mean()
    assert row.effect == pytest.approx(means["one_infected"] - means["uniform"], abs=1e-9)
    assert row.readings == len(used) == 768


def test_about_five_percent_of_null_intervals_leave_out_zero(shipped):
    rng, draws = np.random.default_rng(0), []
    for draw in range(6):
        table = planted(shipped, 5, lambda at: 0.0).assign(claim=f"draw {draw}")
        common = np.repeat(rng.standard_normal(len(table) // 2), 2)  # to the two ways to measure a case
        draws.append(table.assign(statistic=common + rng.standard_normal(len(table))))
    found = multiverse_effects.effects(pd.concat(draws), shipped, 5)
    found = found[found["outcome"] == "statistic"]
    assert len(found) == 6 * (12 + 65)
    assert 0.01 < ((found["low"] > 0) | (found["high"] < 0)).mean() < 0.08


def test_where_pairs_are_confused_only_main_effects_are_given(shipped):
    found = multiverse_effects.effects(planted(shipped, 8, lambda at: at["p1_means"]), shipped, 8)
    found = found[found["outcome"] == "statistic"]
    assert set(found["with_choice"]) == {""} and len(found) == 8
    assert _effect(found, "p1_means", "success").clear
    with pytest.raises(results.ResultsError, match=r"agents: 4 is not allowed; the verdicts have \[8\]"):
        multiverse_effects.effects(planted(shipped, 8, lambda at: 0.0), shipped, 4)


def test_best_match_follows_the_rule(shipped):
    table = planted(shipped, 5, lambda at: float(at["q_start"] + at["q_reset"] == 2), noise=0.0)
    table = table.assign(claim="rate_own")
    second = planted(shipped, 5, lambda at: -float(at["p1_means"]), noise=0.0).assign(claim="rate_gap")
    best = multiverse_effects.best(pd.concat([table, second]), shipped)
    values = best["settings"]
    assert (best["supported"], best["contradicted"], best["claims"], best["among"]) == (1, 0, 2, 770)
    assert (values["q_start"], values["q_reset"], values["p1_means"]) == ("optimistic", "once", "failure")
    assert best["tied"] == 768 // 8 and best["label"] == "found by search, not what the authors did"
    # q_start and q_reset break one word each: one more departure from each mends them, never three
    printed = shipped.name_of("as_printed")
    assert sum(a != b for a, b in zip(best["reading"], printed, strict=True)) == 3
    # rate_gap is no sentence of its own
    assert best["claims_supported"] == ["rate_own"] and best["sentences"]["claims"] == 1
    assert best["sentences"]["tied"] > best["tied"] and best["sentences"]["best_supported"] == 1
    assert json.loads(json.dumps(best))["settings"] == values


def test_figures_mark_readings_and_refuse_what_is_not_there(shipped):
    table = planted(shipped, 8, lambda at: float(at["p1_means"]))
    figure = multiverse_plot.specification_curve(table, shipped, 8, {"working": shipped.name_of("working")})
    top, middle, bottom = figure.axes
    assert [text.get_text() for text in top.texts] == ["working"]
    assert [label.get_text() for label in middle.get_yticklabels()] == ["planted"]
    labels = [label.get_text() for label in bottom.get_yticklabels()]
    assert "episodes: one trajectory" in labels and "T: $10^5$" in labels and "T: $10^3$" not in labels
    pixels = bottom.images[0].get_array()
    assert pixels.shape[:2] == (len(labels), 68)
    with pytest.raises(results.ResultsError, match="agents: 5 is not allowed"):
        multiverse_plot.specification_curve(table, shipped, 5)


def test_texts_count_what_the_tables_hold(shipped):
    table = planted(shipped, 5, lambda at: float(at["p1_means"]), noise=0.0)
    assert (
        "**770 readings** (768 in the fraction, 2 shipped ones beside it) from 7,700 runs"
        in multiverse_text.opening(pd.concat([table, planted(shipped, 8, lambda at: 0.0)]), shipped)
    )
    assert multiverse_text.shares(table).endswith("| planted | 50 | 50 |")
    both = multiverse_text.shares(pd.concat([table, planted(shipped, 8, lambda at: 1.0, noise=0.0)]))
    assert "768 at n = 5, 64 at n = 8" in both and both.endswith("| planted | 50 / 100 | 50 / 0 |")
    words = multiverse_text.flips(multiverse_effects.effects(table, shipped, 5), 5)
    assert "| planted | supported | `p1_means` = success: +1.00\u00a0[+1.00,\u00a0+1.00] | – |" in words
    row = multiverse_effects.effects(table, shipped, 5).query("clear and outcome == 'supported'")
    many = pd.concat([row.assign(value=text, effect=size) for text, size in (("a", 0.1), ("b", -0.9), ("c", 0.5))])
    words = multiverse_text.flips(many, 5)
    assert words.index("`p1_means` = b: −0.90") < words.index("= c: +0.50") < words.index("= a: +0.10")
    flat = multiverse_effects.effects(planted(shipped, 5, lambda at: 1.0, noise=0.0), shipped, 5)
    assert multiverse_text.flips(flat, 5, str.upper).endswith("No choice and no pair clearly changes: PLANTED.")
    empty = flat.iloc[:0].astype({"clear": object})
    assert multiverse_text.flips(empty, 5).endswith("|---|---|---|---|")
    same = multiverse_text.agreement(pd.concat([table, planted(shipped, 8, lambda at: float(at["p1_means"]), 0.0)]))
    assert "| planted | 68 of 68 |" in same


@pytest.mark.workflow
def test_the_target_multiverse_judges_draws_and_publishes_and_goes_on_where_it_stopped(tmp_path):
    clone = Clone(tmp_path)
    write(tmp_path / "tiny_multiverse.yaml")
    done = clone.snakemake("multiverse", multiverse="tiny_multiverse.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    made = clone.files()
    published = {name.removeprefix("figures/multiverse/") for name in made if name.startswith("figures/")}
    drawn = {f"{name}_n{n}.{kind}" for name in ("specification", "effects") for n in (2, 3) for kind in ("pdf", "png")}
    tables = {"verdicts.csv", "effects.csv", "best_match.json", "finals_n2.csv", "finals_n3.csv", "provenance.json"}
    assert published == drawn | tables | {"notebooks/multiverse.html", "notebooks/multiverse.ipynb"}
    record = json.loads(made["figures/multiverse/provenance.json"])
    assert record["configuration"]["settings"] == TINY["settings"]
    again = clone.snakemake("multiverse", multiverse="tiny_multiverse.yaml")
    assert "Nothing to be done" in again.stderr
    # as if it had been stopped while this job ran
    for name in (
        "jobs/n3_001.csv",
        "verdicts_n3.csv",
        "finals_n3.csv",
        "verdicts.csv",
        "effects.csv",
        "best_match.json",
    ):
        (tmp_path / "results/multiverse" / name).unlink()
    for folder in ("results/multiverse/notebooks", "figures"):
        shutil.rmtree(tmp_path / folder)
    # each published file is an output of a rule
    wanted = [f"figures/multiverse/{name}" for name in sorted(published)]
    assert clone.scheduled(*wanted, multiverse="tiny_multiverse.yaml")["multiverse_publish"] == 1
    resumed = clone.snakemake("multiverse", multiverse="tiny_multiverse.yaml")
    assert resumed.returncode == 0
    trained = re.findall(r"Train (\w+) of the multiverse", resumed.stdout + resumed.stderr)
    assert trained == ["n3_001"]
    assert clone.files() == made


def test_best_match_is_what_the_multiverse_found():
    found = json.loads((ROOT / "figures/multiverse/best_match.json").read_text(encoding="utf-8"))
    settings = flat(resolve("best_match"))
    assert {key: settings[key] for key in found["settings"]} == found["settings"]
    changed = {key for key, value in flat(resolve("as_printed")).items() if settings[key] != value}
    assert changed <= set(found["settings"])
