# What notebooks are run with, and which of their files `snakemake --report` shows.
import json
import os

from lpi.config_keys import GAP, JUDGED
from lpi.gallery import TITLES


def figure_parameters(wildcards):
    """What the notebook of a figure is run with, as JSON."""
    return notebook_parameters(wildcards.figure, wildcards.reading)


def summary_parameters(wildcards):
    """What the summary notebook is run with, as JSON."""
    return notebook_parameters("summary", wildcards.reading)


def gap_parameters(wildcards):
    """What the notebook on the optimality gap is run with, as JSON."""
    return notebook_parameters(GAP, wildcards.reading)


def claims_parameters(wildcards):
    """What the notebook of the claims is run with, as JSON."""
    return notebook_parameters(JUDGED, wildcards.reading)


def notebook_parameters(notebook, reading):
    return json.dumps(EXPERIMENT.notebook_parameters(notebook, reading, EXPERIMENT.results_folder))


def theory_parameters(wildcards):
    """What the theory notebook is run with, as JSON."""
    folder = f"{EXPERIMENT.results_folder}/theory"
    return json.dumps({"table": f"{folder}/theory.csv", "output": f"{folder}/theory"})


def scaling_parameters(wildcards):
    """What the notebook on growth is run with, as JSON."""
    return json.dumps({"table": "benchmarks/growth.csv", "output": f"{EXPERIMENT.results_folder}/scaling"})


def sensitivity_parameters(wildcards):
    """What the notebook of the studies is run with, as JSON."""
    folder = f"{EXPERIMENT.results_folder}/studies"
    return json.dumps({"tables": f"{folder}/report", "output": f"{folder}/notebooks"})


def multiverse_parameters(wildcards, input, output):
    """What the notebook of the multiverse is run with, as JSON."""
    tables = {name: input[name] for name in ("design", "verdicts", "effects", "best")}
    return json.dumps(tables | {"output": os.path.dirname(output.html)})


def shown(path, category, caption, subcategory=None, **labels):
    """An output that `snakemake --report` shows, with a caption from workflow/report."""
    return report(
        path, category=category, subcategory=subcategory, labels=titled(labels), caption=f"../report/{caption}.rst"
    )


def titled(labels):
    """Labels in which a figure or notebook has its title in place of its name; a function of the wildcards."""

    def of(wildcards):
        names = {kind: name.format(**dict(wildcards.items())) for kind, name in labels.items()}
        return {kind: TITLES.get(name, name) for kind, name in names.items()}

    return of


def drawings(folder, names, caption, subcategory):
    """The PNG of each figure, shown, and its PDF; from names to titles."""
    png = [
        shown(f"{folder}/{name}.png", "Figures", caption, subcategory, figure=title) for name, title in names.items()
    ]
    return [*(f"{folder}/{name}.pdf" for name in names), *png]
