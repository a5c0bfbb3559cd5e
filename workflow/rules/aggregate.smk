# In two levels, each a file at a time in memory that does not grow: a new seed or tau leaves other points alone.
rule point:
    input:
        package="<results>/package/aggregate.txt",
        runs=expand(
            "<results>/{reading}/runs/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.csv",
            seed=EXPERIMENT.seeds,
            allow_missing=True,
        ),
    output:
        "<results>/{reading}/points/n{agents}_kappa{kappa}_tau{tau}.csv",
    log:
        "<results>/logs/point/{reading}/n{agents}_kappa{kappa}_tau{tau}.log",
    benchmark:
        "<results>/benchmarks/point/{reading}/n{agents}_kappa{kappa}_tau{tau}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        runs=joined_runs,
        outer_loops=outer_loops,
    message:
        "Join seeds of {wildcards.reading}: n = {wildcards.agents}, kappa = {wildcards.kappa}, tau = {wildcards.tau}"
    shell:
        "python -m lpi aggregate --output {output:q} --outer-loops {params.outer_loops} --each 1 {params.runs}"
        " > {log:q} 2>&1"


rule curves:
    input:
        package="<results>/package/aggregate.txt",
        points=expand(
            "<results>/{reading}/points/n{point.agents}_kappa{point.kappa}_tau{point.tau}.csv",
            point=EXPERIMENT.points,
            allow_missing=True,
        ),
    output:
        "<results>/{reading}/curves.csv",
    log:
        "<results>/logs/curves/{reading}.log",
    benchmark:
        "<results>/benchmarks/curves/{reading}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        points=joined_points,
        outer_loops=outer_loops,
        each=len(EXPERIMENT.seeds),
    message:
        "Join all curves of {wildcards.reading}"
    shell:
        "python -m lpi aggregate --output {output:q} --outer-loops {params.outer_loops} --each {params.each}"
        " {params.points} > {log:q} 2>&1"
