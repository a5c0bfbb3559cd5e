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


# What all simulations of a reading, n and tau share; it takes seconds.
rule reference:
    input:
        "<results>/package/reference.txt",
    output:
        "<results>/{reading}/references/n{agents}_tau{tau}.npz",
    log:
        "<results>/logs/reference/{reading}/n{agents}_tau{tau}.log",
    benchmark:
        "<results>/benchmarks/reference/{reading}/n{agents}_tau{tau}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        overrides=overrides,
    message:
        "Reference values of {wildcards.reading}: n = {wildcards.agents}, tau = {wildcards.tau}"
    shell:
        "python -m lpi reference --reading {wildcards.reading} --agents {wildcards.agents} --tau {wildcards.tau}"
        " {params.overrides} --output {output:q} > {log:q} 2>&1"


for training, (batch, seeds) in TRAINING.items():

    rule:
        name:
            training
        input:
            package="<results>/package/train.txt",
            reference=reference_file,
        output:
            curves=expand(
                "<results>/{reading}/runs/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.csv",
                seed=seeds,
                allow_missing=True,
            ),
            policies=expand(
                "<results>/{reading}/runs/n{agents}_kappa{kappa}_tau{tau}_seed{seed}.npz",
                seed=seeds,
                allow_missing=True,
            ),
        log:
            f"<results>/logs/train/{{reading}}/n{{agents}}_kappa{{kappa}}_tau{{tau}}_seeds{batch}.log",
        benchmark:
            f"<results>/benchmarks/train/{{reading}}/n{{agents}}_kappa{{kappa}}_tau{{tau}}_seeds{batch}.tsv"
        # For a cluster; on one machine, groups are ignored and resources without a limit too.  Jobs of single seeds, which
        # are many, are put into groups by profiles/slurm alone: in groups, jobs take a tenth more time to plan.
        group:
            "train" if len(seeds) > 1 else None
        conda:
            "../envs/lpi.yaml"
        # No folder for temporary files: Snakemake would evaluate where it is for each job anew.
        resources:
            tmpdir=None,
            mem_mb=training_megabytes,
            runtime=training_minutes,
        params:
            overrides=overrides,
            reference=reference_option,
            seeds=seeds_of,
        message:
            "Train {wildcards.reading}: n = {wildcards.agents}, kappa = {wildcards.kappa}, tau = {wildcards.tau},"
            " seeds {params.seeds}"
        shell:
            "python -m lpi train --reading {wildcards.reading} --agents {wildcards.agents} --kappa {wildcards.kappa}"
            " --tau {wildcards.tau} --seed {params.seeds} {params.overrides} {params.reference}"
            " --output {output.curves:q} --policy {output.policies:q} --quiet > {log:q} 2>&1"
