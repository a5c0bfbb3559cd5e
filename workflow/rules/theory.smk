# The paper's theorems against numbers, part of the default job too:  .venv/bin/snakemake --cores 2 theory
rule theory:
    input:
        "<results>/theory/theory.html",
        "<figures>/theory/provenance.json",
    message:
        "The theorems against numbers"


rule theory_table:
    input:
        "<results>/package/theory.txt",
    output:
        shown("<results>/theory/theory.csv", "Tables", "theory", "theory", table="theorems and lemmas"),
    log:
        "<results>/logs/theory/theory.log",
    benchmark:
        "<results>/benchmarks/theory/theory.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        settings=theory_options,
    message:
        "Hold the theorems against numbers"
    shell:
        "python -m lpi theory {params.settings} --output {output:q} > {log:q} 2>&1"


rule theory_notebook:
    input:
        package="<results>/package/theory_notebook.txt",
        notebook="notebooks/theory.ipynb",
        table="<results>/theory/theory.csv",
    output:
        parameters="<results>/theory/theory.parameters.json",
        executed="<results>/theory/theory.ipynb",
        html=shown("<results>/theory/theory.html", "Notebooks", "theory", "theory", notebook="theory"),
        pdf="<results>/theory/theory.pdf",
        png=shown("<results>/theory/theory.png", "Figures", "theory", "theory", figure="theory"),
    log:
        "<results>/logs/theory/theory_notebook.log",
    benchmark:
        "<results>/benchmarks/theory/theory_notebook.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=theory_parameters,
    message:
        "Draw the theorems against numbers"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"


rule publish_theory:
    input:
        package="<results>/package/publish.txt",
        files=multiext("<results>/theory/theory", ".csv", ".ipynb", ".html", ".pdf", ".png"),
    output:
        files=multiext("<figures>/theory/theory", ".csv", ".pdf", ".png"),
        notebooks=multiext("<figures>/theory/notebooks/theory", ".ipynb", ".html"),
        provenance="<figures>/theory/provenance.json",
    log:
        "<results>/logs/publish/theory.log",
    benchmark:
        "<results>/benchmarks/publish/theory.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        configuration=theory_configuration,
        folder=subpath(output.provenance, parent=True),
    message:
        "Publish the theorems against numbers: {params.folder}"
    shell:
        "python -m lpi.provenance --folder {params.folder:q} --configuration {params.configuration:q}"
        " {input.files:q} > {log:q} 2>&1"
