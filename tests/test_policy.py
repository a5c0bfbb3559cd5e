"""kappa-hop policies: shapes, the extension operator, files."""

from __future__ import annotations

import os
import pickle
import stat

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp, random_policy, state_index

from lpi.policy import LocalPolicy, extend, policy_index, uniform_table
from lpi.spreading import spreading_process


@pytest.mark.parametrize("kappa", [0, 1, 2, 9])
def test_uniform_policy_of_the_experiment(kappa):
    mdp = spreading_process(nx.path_graph(4))
    policy = LocalPolicy.uniform(mdp, kappa)
    assert policy.kappa == kappa
    for i, around in enumerate(oracles.neighbourhoods(mdp, kappa)):
        assert policy.tables[i].shape == (4,) * len(around) + (2,)
        assert (policy.tables[i] == 0.5).all()


@pytest.mark.parametrize("graph", GRAPHS)
def test_uniform_policy_of_any_spaces(graph):
    mdp = random_mdp(GRAPHS[graph], seed=1)
    policy = LocalPolicy.uniform(mdp, 1)
    for i, around in enumerate(oracles.neighbourhoods(mdp, 1)):
        assert policy.tables[i].shape == (*(mdp.states[j] for j in around), mdp.actions[i])
        assert (policy.tables[i] == 1 / mdp.actions[i]).all()
    np.testing.assert_array_equal(policy.flat(), uniform_table(mdp, 1))


@pytest.mark.parametrize("graph", GRAPHS)
def test_flat_is_in_the_order_of_the_index(graph):
    mdp = random_mdp(GRAPHS[graph], seed=2)
    policy = random_policy(mdp, 1, seed=3)
    flat, index = policy.flat(), policy_index(mdp, 1)
    for one, other in zip(index, state_index(mdp, 1), strict=True):
        np.testing.assert_array_equal(one, other)
    rows = [row for table in oracles.policy_dictionaries(mdp, policy) for row in table.values()]
    assert [p for row in rows for p in row] == flat.tolist()
    again = LocalPolicy.from_flat(mdp, 1, flat)
    for one, other in zip(policy.tables, again.tables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_probabilities_at_a_joint_state():
    """Definition 5: agent i reads s_{N_i^kappa} and nothing else."""
    mdp = random_mdp(GRAPHS["random"], seed=4)
    policy = random_policy(mdp, 1, seed=5)
    tables = oracles.policy_dictionaries(mdp, policy)
    around = oracles.neighbourhoods(mdp, 1)
    for s in oracles.all_values(mdp.states, range(mdp.agents)):
        for i in range(mdp.agents):
            assert tuple(policy.probabilities(i, s)) == tables[i][oracles.restrict(s, around[i])]


def test_extension_operator():
    default = (9, 8, 7, 6, 5)
    for members, local in (((1, 3), (0, 2)), ((0,), (4,)), ((0, 1, 2, 3, 4), (1, 2, 3, 4, 0)), ((4, 0), (1, 2))):
        assert tuple(extend(local, members, default)) == oracles.extension(members, local, default)
    assert default == (9, 8, 7, 6, 5)


def test_round_trip(tmp_path):
    mdp = random_mdp(GRAPHS["random"], seed=6)
    policy = random_policy(mdp, 2, seed=7)
    path = tmp_path / "policy.npz"
    policy.save(path)
    loaded = LocalPolicy.load(path, mdp)
    assert loaded.kappa == 2
    for one, other in zip(policy.tables, loaded.tables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert os.listdir(tmp_path) == ["policy.npz"]


def test_agents_keep_their_order_beyond_ten(tmp_path):
    mdp = random_mdp(nx.path_graph(12), seed=8, states=(2,), actions=(2,))
    policy = random_policy(mdp, 0, seed=9)
    policy.save(tmp_path / "p.npz")
    np.testing.assert_array_equal(LocalPolicy.load(str(tmp_path / "p.npz"), mdp).flat(), policy.flat())


def test_saving_replaces_and_keeps_the_usual_permissions(tmp_path):
    mdp = random_mdp(nx.path_graph(2), seed=10)
    path, plain = tmp_path / "p.npz", tmp_path / "plain"
    plain.touch()
    LocalPolicy.uniform(mdp, 0).save(path)
    policy = random_policy(mdp, 1, seed=11)
    policy.save(path)
    np.testing.assert_array_equal(LocalPolicy.load(path, mdp).flat(), policy.flat())
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    mdp = random_mdp(nx.path_graph(2), seed=12)
    path = tmp_path / "p.npz"
    LocalPolicy.uniform(mdp, 0).save(path)
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        random_policy(mdp, 1, seed=13).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["p.npz"]


def _saved(tmp_path, **arrays):
    np.savez(tmp_path / "bad.npz", **arrays)
    return tmp_path / "bad.npz"


def _refused(path, mdp, match=None):
    with pytest.raises(ValueError, match=match) as caught:
        LocalPolicy.load(path, mdp)
    assert str(caught.value).startswith(("policy: ", "kappa: "))
    assert "\n" not in str(caught.value)


def _written(tmp_path, content: bytes):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    return path


def test_files_that_are_no_policies(tmp_path):
    mdp = random_mdp(nx.path_graph(2), seed=14)
    good = tmp_path / "good.npz"
    random_policy(mdp, 1, seed=15).save(good)
    content = good.read_bytes()
    np.save(tmp_path / "array.npy", np.zeros(3))
    others = [b"", b"text\n", b"\x00" * 100, content[: len(content) // 2], content[:-1], content[50:]]
    for other in (*others, (tmp_path / "array.npy").read_bytes()):
        _refused(_written(tmp_path, other), mdp, "is not a policy file written by lpi")


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes(tmp_path, seed):
    """Damage is refused by one kind of error, or harmless (a byte that the reader does not look at)."""
    mdp = random_mdp(nx.path_graph(2), seed=16)
    good = tmp_path / "good.npz"
    policy = random_policy(mdp, 1, seed=17)
    policy.save(good)
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(60):
        content = bytearray(good.read_bytes())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path = _written(tmp_path, bytes(content))
        try:
            np.testing.assert_array_equal(LocalPolicy.load(path, mdp).flat(), policy.flat())
        except ValueError as error:
            assert str(error).startswith("policy: ")
            refused += 1
    assert refused > 30


class _Harmful:
    def __reduce__(self):
        return (os.mkdir, ("unpickled",))


def test_pickles_are_not_executed(tmp_path, monkeypatch):
    mdp = random_mdp(nx.path_graph(2), seed=18)
    monkeypatch.chdir(tmp_path)
    _refused(_written(tmp_path, pickle.dumps(_Harmful())), mdp)
    objects = np.array([_Harmful()], dtype=object)
    _refused(_saved(tmp_path, kappa=np.int64(0), table_00000=objects, table_00001=objects), mdp)
    assert not os.path.exists("unpickled")


def test_policies_of_another_mdp(tmp_path):
    mdp = random_mdp(nx.path_graph(3), seed=19)
    path = tmp_path / "p.npz"
    random_policy(mdp, 1, seed=20).save(path)
    _refused(path, random_mdp(nx.path_graph(4), seed=19), "3 tables are not allowed; one per agent, 4")
    _refused(path, random_mdp(nx.star_graph(2), seed=19), r"table 0 has shape .* for this MDP and kappa it is")


WRONG = {
    "negative kappa": dict(kappa=np.int64(-1)),
    "another kappa": dict(kappa=np.int64(0)),
    "two kappas": dict(kappa=np.zeros(2, dtype=int)),
    "a word for kappa": dict(kappa=np.array("one")),
    "nan for kappa": dict(kappa=np.float64("nan")),
    "infinite kappa": dict(kappa=np.float64("inf")),
    "no kappa": dict(kappa=None),
    "a table missing": dict(table_00001=None),
    "sums": dict(table_00000=np.full((2, 3, 2), 0.6)),
    "nan": dict(table_00000=np.full((2, 3, 2), np.nan)),
    "words": dict(table_00000=np.full((2, 3, 2), "x")),
    "negative": dict(table_00000=np.stack([np.full((2, 3), 1.5), np.full((2, 3), -0.5)], axis=-1)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_contents(tmp_path, name):
    mdp = random_mdp(nx.path_graph(2), seed=21)
    policy = random_policy(mdp, 1, seed=22)
    arrays = dict(kappa=np.int64(1), table_00000=policy.tables[0], table_00001=policy.tables[1]) | WRONG[name]
    _refused(_saved(tmp_path, **{key: array for key, array in arrays.items() if array is not None}), mdp)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        LocalPolicy.load(tmp_path / "none.npz", random_mdp(nx.path_graph(2), seed=23))


def test_negative_kappa():
    with pytest.raises(ValueError, match="^kappa: -1 is not allowed; an integer >= 0$"):
        LocalPolicy(random_mdp(nx.path_graph(2), seed=24), -1, [])
