rule publish:
    input:
        package="<results>/package/publish.txt",
        figures=expand(
            "<results>/{reading}/notebooks/{figure}.{kind}",
            figure=DRAWN,
            kind=["pdf", "png"],
            allow_missing=True,
        ),
        tables=multiext("<results>/{reading}/notebooks/summary", ".csv", ".md", ".tex"),
        judged=multiext("<results>/{reading}/", "optima.csv", "claims.csv"),
        notebooks=expand(
            "<results>/{reading}/notebooks/{name}.{kind}", name=NOTEBOOKS, kind=["html", "ipynb"], allow_missing=True
        ),
    output:
        figures=expand("<figures>/{reading}/{figure}.{kind}", figure=DRAWN, kind=["pdf", "png"], allow_missing=True),
        tables=multiext("<figures>/{reading}/summary", ".csv", ".md", ".tex"),
        judged=multiext("<figures>/{reading}/", "optima.csv", "claims.csv"),
        notebooks=expand(
            "<figures>/{reading}/notebooks/{name}.{kind}", name=NOTEBOOKS, kind=["html", "ipynb"], allow_missing=True
        ),
        provenance="<figures>/{reading}/provenance.json",
    log:
        "<results>/logs/publish/{reading}.log",
    benchmark:
        "<results>/benchmarks/publish/{reading}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        configuration=configuration,
        folder=subpath(output.provenance, parent=True),
    message:
        "Publish {wildcards.reading}: {params.folder}"
    shell:
        "python -m lpi.provenance --folder {params.folder:q} --configuration {params.configuration:q}"
        " {input.figures:q} {input.tables:q} {input.judged:q} {input.notebooks:q} > {log:q} 2>&1"


rule publish_truth:
    input:
        package="<results>/package/publish.txt",
        tables=expand("<results>/{truth}/{means}.csv", means=MEANINGS, allow_missing=True),
    output:
        tables=expand("<figures>/{truth}/{means}.csv", means=MEANINGS, allow_missing=True),
        provenance="<figures>/{truth}/provenance.json",
    log:
        "<results>/logs/publish/{truth}.log",
    benchmark:
        "<results>/benchmarks/publish/{truth}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        configuration=truth_configuration,
        folder=subpath(output.provenance, parent=True),
    message:
        "Publish the tables of {wildcards.truth}: {params.folder}"
    shell:
        "python -m lpi.provenance --folder {params.folder:q} --configuration {params.configuration:q}"
        " {input.tables:q} > {log:q} 2>&1"
