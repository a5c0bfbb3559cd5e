# The committed tables against runs of today, apart from the default job:  .venv/bin/snakemake --cores 2 verify
# What it trains is temporary, so that each call trains anew, and results that are there already do not stand in; what
# Snakemake keeps for a job that failed goes as well, so that nothing stale is compared after a mending.  The rule has no
# benchmark: Snakemake takes that for an output, and would do nothing in the second call.
rule verify:
    input:
        package="<results>/package/verify.txt",
        runs=verified_runs,
        optima=verified_optima,
    log:
        "<results>/logs/verify/verify.log",
    conda:
        "../envs/lpi.yaml"
    params:
        figures=EXPERIMENT.figures_folder,
        trained=f"{EXPERIMENT.results_folder}/verify",
    message:
        "Hold runs of today against the tables in {params.figures}"
    shell:
        "status=0; python -m lpi.verify --figures {params.figures:q} --runs {input.runs:q} --optima {input.optima:q}"
        " > {log:q} 2>&1 || status=$?; grep -v ^cpu_seconds {log:q}; [ $status = 0 ] || rm -r {params.trained:q}; exit $status"


rule verify_train:
    input:
        package="<results>/package/train.txt",
        reference=reference_file,
    output:
        temp(
            expand(
                "<results>/verify/{reading}/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.csv",
                seed=EXPERIMENT.seeds,
                allow_missing=True,
            )
        ),
    log:
        "<results>/logs/verify/{reading}/n{agents}_kappa{kappa}_tau{tau}.log",
    benchmark:
        "<results>/benchmarks/verify/{reading}/n{agents}_kappa{kappa}_tau{tau}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        overrides=overrides,
        reference=reference_option,
        seeds=EXPERIMENT.seeds,
    message:
        "Train {wildcards.reading} anew: n = {wildcards.agents}, kappa = {wildcards.kappa}, tau = {wildcards.tau}"
    shell:
        "python -m lpi train --reading {wildcards.reading} --agents {wildcards.agents} --kappa {wildcards.kappa}"
        " --tau {wildcards.tau} --seed {params.seeds} {params.overrides} {params.reference} --output {output:q} --quiet"
        " > {log:q} 2>&1"


rule verify_optimum:
    input:
        "<results>/package/optima.txt",
    output:
        temp("<results>/verify/{reading}/optimum_n{agents}_tau{tau}.csv"),
    log:
        "<results>/logs/verify/{reading}/optimum_n{agents}_tau{tau}.log",
    benchmark:
        "<results>/benchmarks/verify/{reading}/optimum_n{agents}_tau{tau}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        overrides=environment_overrides,
    message:
        "Optimum of {wildcards.reading} anew: n = {wildcards.agents}, tau = {wildcards.tau}"
    shell:
        "python -m lpi optima --reading {wildcards.reading} --agents {wildcards.agents} --tau {wildcards.tau}"
        " {params.overrides} --output {output:q} > {log:q} 2>&1"
