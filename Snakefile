# The paper's experiment, end to end:  .venv/bin/snakemake --cores 2
#
#   train      one run of Localized Policy Iteration per (reading, n, kappa, tau, seed)
#   aggregate  all runs of a reading as one tidy table of learning curves
#   truth      the optimum of each reading, the best local policies, and when the optimal policy acts
#   notebooks  figures 1 to 6 and the summary table, drawn by notebooks and rendered as HTML
#   theory     the paper's theorems held against numbers: one table and one notebook
#   report     the replication report, from what was published
#   studies    apart from the default job: why LPI does what it does, and what works
#   publish    copies of these in the figures folder, with the configuration they come from
#   multiverse apart from the default job: many readings at once, judged (config/multiverse.yaml)
#   baseline   apart from the default job: LPI beside the localized actor-critic on the same runs
#   scaling    apart from the default job: how time, memory and visited share grow, as benchmarks/growth.py measured
#   crate      apart from the default job: what is published as an RO-Crate, with what its jobs took
#   verify     apart from the default job: a sample of the committed results, made anew and compared
#
# A target that publishes asks for something in the results folder too: where all files have one time, as from an
# archive, Snakemake would take the committed figures for made.
from lpi.yaml_files import check_files
from snakemake.utils import min_version

min_version("9.27")
check_files("config/config.yaml", *workflow.configfiles)


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


pathvars:
    results=EXPERIMENT.results_folder,
    figures=EXPERIMENT.figures_folder,


wildcard_constraints:
    reading="|".join(EXPERIMENT.readings),
    agents=r"\d+",
    kappa=r"\d+",
    tau=r"\d+\.?\d*(e-?\d+)?",
    seed=r"\d+",
    figure="|".join(EXPERIMENT.figures),
    p1_means="failure|success",
    p2_means="failure|success",
    means="|".join(MEANINGS),
    truth="|".join(TRUTH_TABLES),
    command="|".join(COMMANDS),
    job=r"n\d+_\d+",


# Quicker than submitting it, and where the package's source is read anyway.
localrules:
    package,


rule all:
    default_target: True
    input:
        expand("<results>/{reading}/curves.csv", reading=EXPERIMENT.readings),
        expand("<results>/{reading}/notebooks/{name}.html", reading=EXPERIMENT.readings, name=NOTEBOOKS),
        expand("<figures>/{reading}/provenance.json", reading=EXPERIMENT.readings),
        "<figures>/theory/provenance.json",
        "<figures>/index.html",
        report_files(),
    message:
        "All figures, tables and notebooks"


include: "workflow/rules/train.smk"
include: "workflow/rules/aggregate.smk"
include: "workflow/rules/ground_truth.smk"
include: "workflow/rules/notebooks.smk"
include: "workflow/rules/publish.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/multiverse.smk"
include: "workflow/rules/scaling.smk"
include: "workflow/rules/baseline.smk"
include: "workflow/rules/crate.smk"
include: "workflow/rules/verify.smk"


onstart:
    refused = [*slurm_refusals(), *unwritable_folders()]
    print("".join(f"{line}\n" for line in refused), end="", file=sys.stderr)
    if refused:
        sys.exit(2)
    keep_asking_squeue()
    watch()
    keep_journal(EXPERIMENT.results_folder)
    report_future_files()


onsuccess:
    print(f"Results: {EXPERIMENT.results_folder}/")
    if Path(EXPERIMENT.figures_folder, "index.html").exists():
        print(f"Figures, tables and notebooks: {EXPERIMENT.figures_folder}/")
        print(f"Look at them in a browser: {EXPERIMENT.figures_folder}/index.html")


onerror:
    causes = [*slurm_refusals(), *trouble([EXPERIMENT.results_folder, EXPERIMENT.figures_folder])]
    print("".join(f"{line}\n" for line in causes), end="")
    print("Some jobs failed, what the others made stays: mend the cause and run the same command again.")
