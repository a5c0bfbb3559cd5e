# The paper's experiment, end to end:  snakemake --cores 2
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
#   verify     apart from the default job: a sample of the committed results, made anew and compared
from snakemake.utils import min_version

min_version("9.27")


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
include: "workflow/rules/verify.smk"


onstart:
    refused = slurm_refusals()
    if refused:
        sys.exit("\n".join(refused))


onsuccess:
    print(f"Figures, tables and notebooks: {EXPERIMENT.figures_folder}/")
    if Path(EXPERIMENT.figures_folder, "index.html").exists():
        print(f"Look at them in a browser: {EXPERIMENT.figures_folder}/index.html")


onerror:
    print("".join(f"{line}\n" for line in slurm_refusals()), end="")
    print("Some jobs failed, what the others made stays: mend the cause and run the same command again.")
