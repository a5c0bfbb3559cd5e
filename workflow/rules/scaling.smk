# How runs grow, apart from the default job:  .venv/bin/snakemake --cores 2 scaling
rule scaling:
    input:
        "<results>/scaling/scaling.html",
        "<figures>/scaling/provenance.json",
    message:
        "How runs grow with n and kappa"


rule scaling_notebook:
    input:
        package="<results>/package/scaling_notebook.txt",
        notebook="notebooks/scaling.ipynb",
        table="benchmarks/growth.csv",
    output:
        parameters="<results>/scaling/scaling.parameters.json",
        executed="<results>/scaling/scaling.ipynb",
        html=shown("<results>/scaling/scaling.html", "Notebooks", "scaling", "scaling", notebook="scaling"),
        figures=drawings(
            "<results>/scaling", {"scaling": "against n", "scaling_kappa": "against kappa"}, "scaling", "scaling"
        ),
    log:
        "<results>/logs/scaling/scaling_notebook.log",
    benchmark:
        "<results>/benchmarks/scaling/scaling_notebook.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=scaling_parameters,
    message:
        "Draw how runs grow"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"


rule publish_scaling:
    input:
        package="<results>/package/publish.txt",
        files=multiext("<results>/scaling/scaling", ".ipynb", ".html", ".pdf", ".png", "_kappa.pdf", "_kappa.png"),
    output:
        files=multiext("<figures>/scaling/scaling", ".pdf", ".png", "_kappa.pdf", "_kappa.png"),
        notebooks=multiext("<figures>/scaling/notebooks/scaling", ".ipynb", ".html"),
        provenance="<figures>/scaling/provenance.json",
    log:
        "<results>/logs/publish/scaling.log",
    benchmark:
        "<results>/benchmarks/publish/scaling.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        configuration=json.dumps({"table": "benchmarks/growth.csv"}),
        folder=subpath(output.provenance, parent=True),
    message:
        "Publish how runs grow: {params.folder}"
    shell:
        "python -m lpi.provenance --folder {params.folder:q} --configuration {params.configuration:q}"
        " {input.files:q} > {log:q} 2>&1"
