# What is published as an RO-Crate, with what its jobs took, apart from the default job:
#   .venv/bin/snakemake --cores 1 crate
rule crate:
    input:
        "<results>/package/crate.txt",
        "<figures>/ro-crate-metadata.json",
    message:
        "The published results as an RO-Crate"


# Times differ from run to run, so this is not among what is compared byte by byte.
rule crate_metadata:
    input:
        package="<results>/package/crate.txt",
        published=expand("<figures>/{reading}/provenance.json", reading=EXPERIMENT.readings),
        truths=expand("<figures>/{truth}/provenance.json", truth=TRUTH_TABLES),
        theory="<figures>/theory/provenance.json",
        gallery="<figures>/index.html",
    output:
        metadata="<figures>/ro-crate-metadata.json",
        runs="<figures>/report/runs.csv",
    log:
        "<results>/logs/publish/crate.log",
    benchmark:
        "<results>/benchmarks/publish/crate.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        figures=subpath(output.metadata, parent=True),
        results=subpath(input.package, ancestor=2),
        quoted=quoted_tables,
        others=published_elsewhere,
    message:
        "Describe what is published: {output.metadata}"
    shell:
        "python -m lpi.crate --figures {params.figures:q} --results {params.results:q} > {log:q} 2>&1"
