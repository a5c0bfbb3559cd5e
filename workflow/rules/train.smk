# The package files behind a command, as one file: 20,000 jobs that name fifteen files each would slow Snakemake down.
rule package:
    input:
        source_files,
    output:
        "<results>/package/{command}.txt",
    log:
        "<results>/logs/package/{command}.log",
    benchmark:
        "<results>/benchmarks/package/{command}.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "Package files behind lpi {wildcards.command}"
    shell:
        "cksum {input:q} > {output:q} 2> {log:q}"


rule train:
    input:
        "<results>/package/train.txt",
    output:
        curve="<results>/{reading}/runs/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.csv",
        policy="<results>/{reading}/runs/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.npz",
    log:
        "<results>/logs/train/{reading}/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.log",
    benchmark:
        "<results>/benchmarks/train/{reading}/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        overrides=overrides,
    message:
        "Train {wildcards.reading}: n = {wildcards.agents}, kappa = {wildcards.kappa}, tau = {wildcards.tau},"
        " seed {wildcards.seed}"
    shell:
        "python -m lpi train --reading {wildcards.reading} --agents {wildcards.agents} --kappa {wildcards.kappa}"
        " --tau {wildcards.tau} --seed {wildcards.seed} {params.overrides}"
        " --output {output.curve:q} --policy {output.policy:q} --quiet > {log:q} 2>&1"
