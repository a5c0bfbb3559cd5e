# The workflow, by the name under which Snakemake finds it first; the layout of the workflow catalogue has it in workflow/.
include: "workflow/Snakefile"
