"""The figures: what is drawn where, and that the same curves give the same bytes."""

from __future__ import annotations

import re

import curves
import numpy as np
import pytest

from lpi import plotting, results
from lpi.results import ResultsError

TAUS = (0.02, 0.05, 0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("curves") / "curves.csv"
    return results.read_curves(curves.grid(path, taus=TAUS, kappas=(0, 1, 2, 3), seeds=5))


def _axes(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def test_one_panel_for_each_tau_one_line_and_band_for_each_kappa(data):
    figure = plotting.learning_curves(data, [(8, tau) for tau in TAUS], "reported")
    assert [ax.get_title() for ax in _axes(figure)] == [rf"$\tau = {tau:g}$" for tau in TAUS]
    assert [(len(ax.lines), len(ax.collections)) for ax in _axes(figure)] == [(4, 4)] * 3
    assert [ax.get_xlabel() for ax in _axes(figure)] == ["Outer loop $m$"] * 3
    assert [ax.get_ylabel() for ax in _axes(figure)] == ["Regularised reward J\n(discounted sum)", "", ""]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [rf"$\kappa = {kappa}$" for kappa in range(4)]
    assert figure.get_supxlabel() == (
        "Reading working; $n = 8$; line: median, band: 25–75 % of 5 seeds; J exact; vertical axes differ"
    )


@pytest.mark.parametrize("quantity", ["reported", "unregularized"])
def test_lines_are_medians_and_bands_quartiles(data, quantity):
    figure = plotting.learning_curves(data, [(8, 0.05)], quantity, kappas=[2])
    (ax,) = _axes(figure)
    runs = data[(data.tau == 0.05) & (data.kappa == 2)].pivot(index="seed", columns="outer_loop", values=quantity)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), np.median(runs, axis=0))
    corners = ax.collections[0].get_paths()[0].vertices
    for loop in runs:
        heights = corners[corners[:, 0] == loop, 1]
        assert [heights.min(), heights.max()] == np.quantile(runs[loop], [0.25, 0.75]).tolist()
    assert ax.get_title() == r"$n = 8$, $\tau = 0.05$"
    assert ax.get_ylabel().startswith(quantity.capitalize().replace("ized", "ised").replace("Reported", "Regularised"))


def test_kappa_looks_the_same_in_every_figure_and_no_two_are_alike(data):
    looks = {}
    for kappas in ([0, 1, 2, 3], [3, 1], [2]):
        (ax,) = _axes(plotting.learning_curves(data, [(8, 0.05)], "reported", kappas))
        for line in ax.lines:
            look = (line.get_color(), line.get_marker(), line.get_linestyle())
            assert looks.setdefault(line.get_label(), look) == look
    assert len(looks) == len(set(looks.values())) == 4
    assert len({plotting.look(kappa) for kappa in range(7)}) == 7
    for part in zip(*(plotting.look(kappa) for kappa in range(4)), strict=True):
        assert len(set(part)) == 4


def test_colours_differ_in_grey():
    def grey(kappa):
        red, green, blue = (int(plotting.look(kappa).color[i : i + 2], 16) for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    greys = sorted(grey(kappa) for kappa in range(4))
    assert min(np.diff(greys)) > 20 and greys[-1] < 200


def test_networks_of_several_sizes_name_n_and_the_method(tmp_path):
    data = results.read_curves(curves.grid(tmp_path / "curves.csv", agents=(5, 10, 15), seeds=1))
    figure = plotting.learning_curves(data, [(n, 0.05) for n in (5, 10, 15)], "reported")
    assert [ax.get_title() for ax in _axes(figure)] == ["$n = 5$", "$n = 10$", "$n = 15$"]
    assert r"$\tau = 0.05$" in figure.get_supxlabel() and "1 seed;" in figure.get_supxlabel()
    assert "J exact at n = 5, simulated at n = 10, 15" in figure.get_supxlabel()


def test_more_than_three_panels_wrap(data):
    figure = plotting.learning_curves(data, [(8, tau) for tau in (*TAUS, 0.05)], "reported", kappas=[1])
    assert len(_axes(figure)) == 4 and len(figure.axes) == 6
    assert [bool(ax.get_xlabel()) for ax in _axes(figure)] == [False, True, True, True]


def test_flat_curves_are_not_magnified(tmp_path):
    values = 37 + 1e-6 * np.random.default_rng(0).normal(size=7)
    data = results.read_curves(curves.write(tmp_path / "curves.csv", curves.run(values)))
    (ax,) = _axes(plotting.learning_curves(data, [(8, 0.05)], "reported"))
    low, high = ax.get_ylim()
    assert high - low == pytest.approx(plotting.FLATTEST * 37, rel=1e-3) and low < 37 < high


def test_files_are_the_same_bytes_twice_without_date_and_with_embedded_fonts(data, tmp_path):
    for name in "ab":
        figure = plotting.learning_curves(data, [(8, tau) for tau in TAUS], "reported")
        plotting.save(figure, tmp_path / f"figure {name}")
    for kind in ("pdf", "png"):
        one, two = ((tmp_path / f"figure {name}.{kind}").read_bytes() for name in "ab")
        assert one == two
        assert not re.search(rb"CreationDate|Software|tEXt", one)
    pdf = (tmp_path / "figure a.pdf").read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf


def test_png_is_print_width_at_its_resolution(data):
    png = plotting.render(plotting.learning_curves(data, [(8, tau) for tau in TAUS], "reported"), "png")
    assert int.from_bytes(png[16:20], "big") == plotting.WIDTH * plotting.RESOLUTION


def test_nothing_to_draw_is_refused(data):
    with pytest.raises(ResultsError, match="at least one"):
        plotting.learning_curves(data, [], "reported")
    with pytest.raises(ResultsError, match="no curves for agents 8, tau 0.3"):
        plotting.learning_curves(data, [(8, 0.3)], "reported")
    with pytest.raises(ResultsError, match="kappa 4"):
        plotting.learning_curves(data, [(8, 0.05)], "reported", kappas=[0, 4])
