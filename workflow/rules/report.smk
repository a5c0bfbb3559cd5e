# The replication report, from the published tables; what the other targets published before is quoted where it is there.
rule report:
    input:
        package="<results>/package/report.txt",
        templates=expand("workflow/report/{page}.md.j2", page=["replication-report", "claims", "artifact"]),
        errata="workflow/report/errata.yaml",
        before="workflow/report/verdicts_before_amendments.csv",
        published=expand("<figures>/{reading}/provenance.json", reading=EXPERIMENT.readings),
        truths=expand("<figures>/{truth}/provenance.json", truth=TRUTH_TABLES),
        theory="<figures>/theory/provenance.json",
    output:
        multiext("<results>/report/", "replication-report.md", "claims.md", "artifact.md"),
    log:
        "<results>/logs/report/report.log",
    benchmark:
        "<results>/benchmarks/report/report.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        figures=subpath(input.theory, ancestor=2),
        folder=subpath(output[0], parent=True),
        quoted=quoted_tables,
    message:
        "Write the report"
    shell:
        "python -m lpi.report --figures {params.figures:q} --output {params.folder:q} > {log:q} 2>&1"


if EXPERIMENT.figures_folder == "figures":

    # README.md and a page of docs/algorithms get a block in passing: they are written by hand, and no outputs that Snakemake
    # may delete.
    rule publish_report:
        input:
            rules.report.output,
        output:
            report="docs/replication-report.md",
            claims="docs/claims.md",
            artifact="docs/artifact.md",
            errata="docs/errata.md",
        log:
            "<results>/logs/publish/report.log",
        benchmark:
            "<results>/benchmarks/publish/report.tsv"
        conda:
            "../envs/lpi.yaml"
        params:
            figures=EXPERIMENT.figures_folder,
        message:
            "Publish the report: pages in docs and the verdicts in README.md (with another figures_folder they stay)"
        shell:
            "python -m lpi.report --figures {params.figures:q} > {log:q} 2>&1"


# What the other targets published before is shown where it is there.
rule gallery:
    input:
        package="<results>/package/gallery.txt",
        template="workflow/report/index.html.j2",
        published=expand("<figures>/{reading}/provenance.json", reading=EXPERIMENT.readings),
        theory="<figures>/theory/provenance.json",
    output:
        "<figures>/index.html",
    log:
        "<results>/logs/report/gallery.log",
    benchmark:
        "<results>/benchmarks/report/gallery.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        figures=subpath(output[0], parent=True),
        others=published_elsewhere,
    message:
        "Lead to all notebooks: {output}"
    shell:
        "python -m lpi.gallery --figures {params.figures:q} > {log:q} 2>&1"
