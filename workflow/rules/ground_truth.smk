# What no run has to learn: the optimum, the best local policies, when the optimal policy acts.
rule optimum:
    input:
        "<results>/package/optima.txt",
    output:
        "<results>/{reading}/optima/n{agents}_tau{tau}.csv",
    log:
        "<results>/logs/optimum/{reading}/n{agents}_tau{tau}.log",
    benchmark:
        "<results>/benchmarks/optimum/{reading}/n{agents}_tau{tau}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        overrides=environment_overrides,
    message:
        "Optimum of {wildcards.reading}: n = {wildcards.agents}, tau = {wildcards.tau}"
    shell:
        "python -m lpi optima --reading {wildcards.reading} --agents {wildcards.agents} --tau {wildcards.tau}"
        " {params.overrides} --output {output:q} > {log:q} 2>&1"


rule optima:
    input:
        package="<results>/package/optima.txt",
        points=[f"<results>/{{reading}}/optima/n{agents}_tau{tau}.csv" for agents, tau in EXPERIMENT.panels],
    output:
        shown("<results>/{reading}/optima.csv", "Tables", "optima", "{reading}", table="optima"),
    log:
        "<results>/logs/optima/{reading}.log",
    benchmark:
        "<results>/benchmarks/optima/{reading}.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "Join the optima of {wildcards.reading}"
    shell:
        "python -m lpi join optima --rows 1 --output {output:q} {input.points:q} > {log:q} 2>&1"


rule best_local:
    input:
        "<results>/package/locality.txt",
    output:
        "<results>/locality/{p1_means}_{p2_means}/n{agents}_tau{tau}.csv",
    log:
        "<results>/logs/best_local/{p1_means}_{p2_means}_n{agents}_tau{tau}.log",
    benchmark:
        "<results>/benchmarks/best_local/{p1_means}_{p2_means}_n{agents}_tau{tau}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        overrides=SHARED_ENVIRONMENT,
        kappas=EXPERIMENT.kappas,
    message:
        "Best local policies: p1 means {wildcards.p1_means}, p2 {wildcards.p2_means}, n = {wildcards.agents},"
        " tau = {wildcards.tau}"
    shell:
        "python -m lpi locality --agents {wildcards.agents} --tau {wildcards.tau} --p1-means {wildcards.p1_means}"
        " --p2-means {wildcards.p2_means} {params.overrides} --kappas {params.kappas} --output {output:q}"
        " > {log:q} 2>&1"


rule locality:
    input:
        package="<results>/package/locality.txt",
        points=expand(
            "<results>/locality/{means}/n{agents}_tau{tau}.csv",
            agents=EXPERIMENT.locality.agents,
            tau=EXPERIMENT.locality.taus,
            allow_missing=True,
        ),
    output:
        "<results>/locality/{means}.csv",
    log:
        "<results>/logs/locality/{means}.log",
    benchmark:
        "<results>/benchmarks/locality/{means}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        rows=len(EXPERIMENT.kappas),
    message:
        "Join the best local policies of {wildcards.means}"
    shell:
        "python -m lpi join locality --rows {params.rows} --output {output:q} {input.points:q} > {log:q} 2>&1"


rule acting:
    input:
        "<results>/package/acting.txt",
    output:
        "<results>/acting/{p1_means}_{p2_means}.csv",
    log:
        "<results>/logs/acting/{p1_means}_{p2_means}.log",
    benchmark:
        "<results>/benchmarks/acting/{p1_means}_{p2_means}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        overrides=SHARED_ENVIRONMENT,
        agents=EXPERIMENT.acting.agents,
        tau=EXPERIMENT.acting.tau,
        p_eff=EXPERIMENT.acting.p_eff,
    message:
        "When the optimal policy acts: p1 means {wildcards.p1_means}, p2 {wildcards.p2_means}"
    shell:
        "python -m lpi acting --agents {params.agents} --tau {params.tau} --p1-means {wildcards.p1_means}"
        " --p2-means {wildcards.p2_means} {params.overrides} --p-effs {params.p_eff} --output {output:q}"
        " > {log:q} 2>&1"


rule claims:
    input:
        unpack(shared_tables),
        package="<results>/package/claims.txt",
        curves="<results>/{reading}/curves.csv",
        optima="<results>/{reading}/optima.csv",
    output:
        shown("<results>/{reading}/claims.csv", "Tables", "claims", "{reading}", table="claims"),
    log:
        "<results>/logs/claims/{reading}.log",
    benchmark:
        "<results>/benchmarks/claims/{reading}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        shared=shared_options,
    message:
        "Judge the claims under {wildcards.reading}"
    shell:
        "python -m lpi.claims.judge --curves {input.curves:q} --optima {input.optima:q} {params.shared} --output {output:q}"
        " > {log:q} 2>&1"
