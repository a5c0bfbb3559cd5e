# Many readings at once, apart from the default job:  .venv/bin/snakemake --cores 2 multiverse
rule multiverse:
    input:
        "<results>/multiverse/notebooks/multiverse.html",
        "<figures>/multiverse/provenance.json",
    message:
        "The multiverse: verdicts, effects, specification curves"


rule multiverse_train:
    input:
        "<results>/package/multiverse_train.txt",
    output:
        "<results>/multiverse/jobs/{job}.csv",
    log:
        "<results>/logs/multiverse/train/{job}.log",
    benchmark:
        "<results>/benchmarks/multiverse/train/{job}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        design=MULTIVERSE_FILE,
        runs=multiverse_fingerprint,
    message:
        "Train {wildcards.job} of the multiverse"
    shell:
        "python -m lpi multiverse train --design {params.design:q} --job {wildcards.job} --output {output:q} > {log:q} 2>&1"


rule multiverse_verdicts:
    input:
        package="<results>/package/multiverse_verdicts.txt",
        jobs=multiverse_jobs,
    output:
        verdicts="<results>/multiverse/verdicts_n{agents}.csv",
        finals="<results>/multiverse/finals_n{agents}.csv",
    log:
        "<results>/logs/multiverse/verdicts_n{agents}.log",
    benchmark:
        "<results>/benchmarks/multiverse/verdicts_n{agents}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        design=MULTIVERSE_FILE,
    message:
        "Judge all claims under all readings of n = {wildcards.agents}"
    shell:
        "python -m lpi multiverse verdicts --design {params.design:q} --agents {wildcards.agents}"
        " --output {output.verdicts:q} --finals {output.finals:q} {input.jobs:q} > {log:q} 2>&1"


rule multiverse_effects:
    input:
        package="<results>/package/multiverse_effects.txt",
        verdicts=expand("<results>/multiverse/verdicts_n{agents}.csv", agents=MULTIVERSE_AGENTS),
    output:
        joined="<results>/multiverse/verdicts.csv",
        effects=shown("<results>/multiverse/effects.csv", "Tables", "multiverse", "multiverse", table="effects"),
        best="<results>/multiverse/best_match.json",
    log:
        "<results>/logs/multiverse/effects.log",
    benchmark:
        "<results>/benchmarks/multiverse/effects.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        design=MULTIVERSE_FILE,
    message:
        "Which choices flip which claim"
    shell:
        "python -m lpi multiverse effects --design {params.design:q} --joined {output.joined:q}"
        " --output {output.effects:q} --best {output.best:q} {input.verdicts:q} > {log:q} 2>&1"


rule multiverse_notebook:
    input:
        package="<results>/package/multiverse_notebook.txt",
        notebook="notebooks/multiverse.ipynb",
        verdicts="<results>/multiverse/verdicts.csv",
        effects="<results>/multiverse/effects.csv",
        best="<results>/multiverse/best_match.json",
        design=MULTIVERSE_FILE,
    output:
        parameters="<results>/multiverse/notebooks/multiverse.parameters.json",
        executed="<results>/multiverse/notebooks/multiverse.ipynb",
        html=shown(
            "<results>/multiverse/notebooks/multiverse.html",
            "Notebooks",
            "multiverse",
            "multiverse",
            notebook="multiverse",
        ),
        figures=drawings(
            "<results>/multiverse/notebooks",
            {f"{name}_n{n}": f"{name}, n = {n}" for name in ["specification", "effects"] for n in MULTIVERSE_AGENTS},
            "multiverse",
            "multiverse",
        ),
    log:
        "<results>/logs/multiverse/notebook.log",
    benchmark:
        "<results>/benchmarks/multiverse/notebook.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=multiverse_parameters,
    message:
        "Draw the multiverse"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"


rule multiverse_publish:
    input:
        package="<results>/package/publish.txt",
        tables=expand("<results>/multiverse/{name}", name=MULTIVERSE_TABLES),
        figures=rules.multiverse_notebook.output.figures,
        notebooks=multiext("<results>/multiverse/notebooks/multiverse", ".html", ".ipynb"),
    output:
        tables=expand("<figures>/multiverse/{name}", name=MULTIVERSE_TABLES),
        figures=expand(
            "<figures>/multiverse/{name}_n{agents}.{kind}",
            name=["specification", "effects"],
            agents=MULTIVERSE_AGENTS,
            kind=["pdf", "png"],
        ),
        notebooks=multiext("<figures>/multiverse/notebooks/multiverse", ".html", ".ipynb"),
        provenance="<figures>/multiverse/provenance.json",
    log:
        "<results>/logs/multiverse/publish.log",
    benchmark:
        "<results>/benchmarks/multiverse/publish.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        configuration=multiverse_configuration,
        folder=subpath(output.provenance, parent=True),
    message:
        "Publish the multiverse: {params.folder}"
    shell:
        "python -m lpi.provenance --folder {params.folder:q} --configuration {params.configuration:q}"
        " {input.tables:q} {input.figures:q} {input.notebooks:q} > {log:q} 2>&1"
