"""What fuzzing found, and a seeded part of the fuzzing itself: mistakes end in one line, soon, and start nothing."""

from __future__ import annotations

import copy
import io
import os
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import lpi
from lpi import cli, experiment, reference, yaml_files
from lpi.config import ConfigError
from lpi.mistakes import shown, twice
from lpi.multiverse.design import load as load_multiverse
from lpi.spreading import spreading_process

ROOT = Path(__file__).parents[1]
SECONDS = 3.0
"""CPU time in which a mistake must be told."""
TOO_MANY = "99999999999999999999"
COMMANDS = {
    "kappa": (f"train --output o.csv --kappa {TOO_MANY}", "an integer >= 0 and <= 10000"),
    "beta": (f"train --output o.csv --set beta={TOO_MANY}", "<= 10000 or null"),
    "kappa of a large network": ("train --output o.csv --agents 10000 --kappa 5000", "kappa <= 1 fits"),
    "kappa on a large star": ("train --output o.csv --agents 10000 --kappa 5000 --graph star", "no kappa fits"),
    "gamma": ("train --output o.csv --gamma 0.9999999999999999", "a number >= 0 and <= 0.9999"),
    "decimal comma": ("train --output o.csv --gamma 0,95", "the number is written 0.95"),
    "samples": (f"train --output o.csv --set trajectory_length={TOO_MANY}", "<= 1000000000"),
    "loops": (f"train --output o.csv --set outer_loops={TOO_MANY}", "<= 1000000000"),
    "episodes": (f"train --output o.csv --set evaluation_episodes={TOO_MANY}", "<= 1000000"),
    "episodes of an evaluation": (f"evaluate p.npz --episodes {TOO_MANY}", "<= 1000000"),
    "a random graph": ("train --output o.csv --agents 10000 --graph erdos_renyi", "agents: 10000 is not allowed"),
    "agents of the theory": ("theory --output o.csv --agents 10000", "at most 100"),
    "random MDPs": ("theory --output o.csv --mdps 99999999999", "mdps: 99999999999 is not allowed"),
    "optimum of a large network": ("optimum --agents 10000", "at most 17 agents fit"),
    "optimum of a star": ("optimum --agents 30 --graph star", "at most 17 agents fit"),
    "tables of a star": ("evaluate p.npz --agents 1000 --graph star", "the transition tables"),
    "references of a star": ("reference --output o.npz --agents 16 --graph star", "12 agents fit"),
    "locality": ("locality --kappas 0 --agents 10000 --output o.csv", "at most 11"),
    "hops of locality": (f"locality --kappas {TOO_MANY} --output o.csv", "kappas: 99999"),
    "acting": ("acting --p-effs 0.1 --agents 10000 --output o.csv", "at most 17 agents fit"),
    "a pipe for a policy": ("evaluate pipe", "policy: 'pipe' is not allowed (not a file)"),
    "a device for a policy": ("evaluate /dev/zero", "not a file"),
    "a pipe for a design": ("multiverse design --design pipe", "multiverse: 'pipe' is not allowed (not a file)"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_line_that_would_not_end(name, folder, capsys):
    arguments, said = COMMANDS[name]
    if "pipe" in name:
        os.mkfifo("pipe")
    start = time.process_time()
    try:
        status = cli.main(arguments.split())
    except SystemExit as end:
        status = end.code
    printed = capsys.readouterr()
    assert (status, printed.out, printed.err.count("\n")) == (2, "", 1), printed
    assert said in printed.err
    assert time.process_time() - start < SECONDS
    assert [path.name for path in folder.iterdir()] == (["pipe"] if "pipe" in name else [])


@pytest.mark.parametrize("text, value", [(".5", 0.5), ("1.", 1), ("+3", 3), ("05", 5), ("-.5", -0.5)])
def test_numbers_as_people_type_them(text, value):
    from lpi.config import parse_assignment

    assert parse_assignment(f"cost={text}") == ("cost", value)


def test_a_zero_has_no_sign():
    found = experiment.load({"figures": {"figure1": {"agents": [3], "taus": [-0.0]}}})
    assert repr(found.points[0].tau) == "0.0"


def test_thousands_of_seeds_are_checked_at_once():
    start = time.process_time()
    assert len(experiment.load({"seeds": list(range(20_000))}).seeds) == 20_000
    assert time.process_time() - start < 1


ALIASES = "seeds:\n  - &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  - &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
FILES = {
    "binary": (bytes(range(256)), "not text in UTF-8"),
    "UTF-16": ("seeds: [0]\n".encode("utf-16"), "not text in UTF-8"),
    "brackets": (b"seeds: " + b"[" * 2000, "brackets within brackets"),
    "digits": (b"seeds_per_job: " + b"9" * 5000, "Exceeds the limit"),
    "a tab": (b"seeds:\n\t- 0\n", "cannot start any token"),
    "a key twice": (b"seeds: [0]\nkappas: [1]\nseeds: [1]\n", "line 3: 'seeds' is there twice"),
    "a key below twice": (b"settings: {gamma: 0.9, gamma: 0.8}\n", "line 1: 'gamma' is there twice"),
    "a merge": (b"settings: {<<: {gamma: 0.9}}\n", "'<<' is not allowed"),
    "too large": (b"# \n" * 2**20, "too large"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_yaml_file_that_would_be_misread(name, folder):
    content, said = FILES[name]
    Path("some.yaml").write_bytes(content)
    start = time.process_time()
    with pytest.raises(ConfigError, match=r"^some\.yaml: ") as raised:
        yaml_files.read_yaml("some.yaml", "config")
    assert said in str(raised.value) and "\n" not in str(raised.value)
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfseeds: [0]\n", b"seeds: [0]\r\n", b"seeds:\r\n  - 0\r\n"])
def test_byte_order_marks_and_line_ends_of_windows_are_read(content, folder):
    Path("some.yaml").write_bytes(content)
    assert yaml_files.read_yaml("some.yaml", "config") == {"seeds": [0]}


def test_a_config_file_with_a_key_twice_ends_the_program(folder, capsys):
    Path("some.yaml").write_bytes(FILES["a key twice"][0])
    with pytest.raises(SystemExit) as end:
        yaml_files.check_files("none.yaml", "some.yaml")
    assert end.value.code == 2
    assert capsys.readouterr().err == "config: some.yaml: line 3: 'seeds' is there twice; each key once\n"


def test_aliases_that_unfold_to_billions_of_values():
    content = yaml.safe_load(ALIASES)
    start = time.process_time()
    for config in (content, {"settings": {"cost": content["seeds"]}}, {"readings": content["seeds"][-1]}):
        with pytest.raises(ConfigError) as raised:
            experiment.load(config)
        assert len(str(raised.value)) < 600
    assert shown(content) == "a dict too long to be shown"
    assert time.process_time() - start < SECONDS


def test_what_is_there_twice():
    assert twice([1, 2, 1]) == [1] and twice([[1], [2], [1]]) == [[1]] and twice([1, 1.0]) == [1.0]
    assert twice([1, 2, "1", [1], None]) == twice([1, True]) == []


@pytest.mark.parametrize("names", [["mine", "Mine"], ["Working"]])
def test_readings_that_share_a_folder_where_case_is_not_told(names):
    with pytest.raises(ConfigError, match="in more than its case"):
        experiment.load({"custom_readings": {name: {} for name in names}})


SHIPPED = yaml.safe_load((ROOT / "config/multiverse.yaml").read_text(encoding="utf-8"))
LEVELS = {"cost": [i / 10 for i in range(9)], "p1": [i / 10 for i in range(9)], "p2": [i / 10 for i in range(9)]}
DESIGNS = {
    "a list in also": ({"also": [["as_printed"]]}, "also: ['as_printed'] is not allowed"),
    "a mapping in also": ({"also": [{}]}, "also: {} is not allowed"),
    "a list in a word": ({"defining_words": [[["p1_means"]]]}, "defining_words: ['p1_means'] is not allowed"),
    "a number for a block": ({"blocks": [3]}, "blocks: 3 is not allowed; a mapping"),
    "only a list": ({"blocks": [{"agents": 3, "only": []}]}, "blocks.only: [] is not allowed; a mapping"),
    "too many combinations": ({"choices": SHIPPED["choices"] | LEVELS, "also": []}, "combinations are not allowed"),
    "a kappa too large": ({"blocks": [{"agents": 10}], "kappas": [9]}, "kappas: 9 is not allowed with 10 agents"),
    "too many agents": ({"blocks": [{"agents": 12}]}, "an exact evaluation takes"),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_a_malformed_design(name, folder):
    change, said = DESIGNS[name]
    Path("design.yaml").write_text(yaml.safe_dump(SHIPPED | change), encoding="utf-8")
    start = time.process_time()
    with pytest.raises(ConfigError, match=r"^design\.yaml: ") as raised:
        load_multiverse("design.yaml")
    assert said in str(raised.value) and "\n" not in str(raised.value)
    assert time.process_time() - start < SECONDS


def test_an_archive_that_unfolds_to_gigabytes_is_judged_by_its_headers(folder):
    """A policy of 4 GB of zeros, compressed to a few megabytes at most; only its head is written here."""
    mdp = spreading_process(lpi.Network.named("line", 1))
    lpi.LocalPolicy.uniform(mdp, 0).save("policy.npz")
    arrays = dict(np.load("policy.npz"))
    arrays["table_00000"] = np.zeros((2**20, 8))
    np.savez_compressed("bomb.npz", **arrays)
    assert Path("bomb.npz").stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"table 0 has shape \(1048576, 8\)"):
        lpi.LocalPolicy.load("bomb.npz", mdp)
    arrays["table_00000"] = np.full((4, 2), 0.5)
    np.savez("more.npz", **arrays, other=np.zeros(3))
    with pytest.raises(ValueError, match="it holds 'other' as well"):
        lpi.LocalPolicy.load("more.npz", mdp)


@pytest.fixture(scope="module")
def known():
    mdp = spreading_process(lpi.Network.named("line", 3))
    return mdp, reference.reference(mdp, 0.05)


CHANGES = {
    "score": lambda t: t[:-1],
    "beyond": lambda t: t[:-1],
    "offset": lambda t: t + 1000,
    "column": lambda t: t - 1,
    "stride": lambda t: t * 3,
    "rank": lambda t: t + 7,
    "label": lambda t: t + 1,
    "widths": lambda t: t * 2,
    "known": lambda t: t * np.nan,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_reference_whose_tables_do_not_go_together(name, known, folder):
    """Its numbers are indices into its tables: a wrong one would read beyond them."""
    mdp, found = known
    reference.save("r.npz", mdp, 0.05, found._replace(**{name: CHANGES[name](getattr(found, name))}))
    with pytest.raises(ValueError, match=r"^reference: 'r\.npz' is not allowed"):
        reference.load("r.npz", mdp, 0.05)


def test_a_good_reference_is_read(known, folder):
    mdp, found = known
    reference.save("r.npz", mdp, 0.05, found)
    again = reference.load("r.npz", mdp, 0.05)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


def test_a_member_that_says_it_is_larger_than_it_is(folder):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 2)})
    with zipfile.ZipFile("policy.npz", "w") as archive:
        archive.writestr("kappa.npy", header.getvalue())
    with pytest.raises(ValueError, match="says that it holds more than it does"):
        lpi.LocalPolicy.load("policy.npz", spreading_process(lpi.Network.named("line", 1)))


CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
ODD = [
    None, True, -1, 0, 0.5, -0.0, 10**25, float("nan"), float("inf"), "", "0.5", "1e-2", "é", "a\nb", [], [[]], {},
    {"a": 1}, [1, 1], ["working"], {1: 2}, "line", "none.txt", [0, "x"], "9" * 5000, 10**5000, b"bytes", (1, 2),
]  # fmt: skip


def mutated(content, draw: random.Random):
    """A copy in which one value, key or item has been replaced, removed or doubled, somewhere."""
    content = copy.deepcopy(content)
    place, keys = content, None
    while isinstance(place, (dict, list)) and len(place):
        key = draw.choice(list(place)) if isinstance(place, dict) else draw.randrange(len(place))
        keys = place, key
        if draw.random() < 0.35:
            break
        place = place[key]
    holder, key = keys
    kind = draw.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[str(key)[:-1]] = holder.pop(key)
    elif kind == 2 and isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[key] = draw.choice(ODD)
    return content


@pytest.mark.parametrize("seed", range(4))
def test_configs_with_one_or_two_mistakes(seed, folder):
    """Each is refused in one short line, or is an experiment whose grid can be gone through."""
    draw, refused = random.Random(seed), 0
    for _ in range(150):
        content = mutated(CONFIG, draw)
        content = mutated(content, draw) if content and draw.random() < 0.5 else content
        start = time.process_time()
        try:
            found = experiment.load(content)
            assert found.points and found.batches
        except ConfigError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 1500 and ": " in str(error), content
        assert time.process_time() - start < SECONDS, content
    assert refused > 50


@pytest.mark.parametrize("seed", range(2))
def test_designs_with_a_mistake(seed):
    from lpi.multiverse.design import check

    draw, refused = random.Random(seed), 0
    for _ in range(100):
        content = mutated(SHIPPED, draw)
        start = time.process_time()
        try:
            check(content)
        except ConfigError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 1500, content
        assert time.process_time() - start < SECONDS, content
    assert refused > 30
