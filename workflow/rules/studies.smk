# Why LPI does what it does, and what works, apart from the default job:  .venv/bin/snakemake --cores 2 studies
rule studies:
    input:
        "<results>/studies/notebooks/sensitivity.html",
        "<figures>/studies/provenance.json",
    message:
        "The studies: explanations and what works"


rule studies_floors:
    input:
        "<results>/package/studies_run.txt",
    output:
        "<results>/studies/floors.csv",
    log:
        "<results>/logs/studies/floors.log",
    benchmark:
        "<results>/benchmarks/studies/floors.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "Best kappa-hop policies of the studies"
    shell:
        "python -m lpi.studies.run floors --output {output:q} > {log:q} 2>&1"


rule studies_visits:
    input:
        "<results>/package/studies_run.txt",
    output:
        "<results>/studies/visits.csv",
    log:
        "<results>/logs/studies/visits.log",
    benchmark:
        "<results>/benchmarks/studies/visits.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "How often each pair is visited"
    shell:
        "python -m lpi.studies.run visits --output {output:q} > {log:q} 2>&1"


rule studies_run:
    input:
        "<results>/package/studies_run.txt",
    output:
        "<results>/studies/rows/{study}_kappa{kappa}.csv",
    log:
        "<results>/logs/studies/rows/{study}_kappa{kappa}.log",
    benchmark:
        "<results>/benchmarks/studies/rows/{study}_kappa{kappa}.tsv"
    wildcard_constraints:
        study="|".join(name for name, study in STUDIES.items() if CHOSEN not in study.variants),
    conda:
        "../envs/lpi.yaml"
    message:
        "Study {wildcards.study}, kappa = {wildcards.kappa}"
    shell:
        "python -m lpi.studies.run run {wildcards.study} --kappa {wildcards.kappa} --output {output:q} > {log:q} 2>&1"


rule studies_choose:
    input:
        package="<results>/package/studies_report.txt",
        floors="<results>/studies/floors.csv",
        rows=screening_rows,
    output:
        "<results>/studies/chosen.json",
    log:
        "<results>/logs/studies/choose.log",
    benchmark:
        "<results>/benchmarks/studies/choose.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "Choose the settings that need the fewest samples"
    shell:
        "python -m lpi.studies.results choose --rows {input.rows:q} --floors {input.floors:q} --output {output:q}"
        " > {log:q} 2>&1"


rule studies_confirm:
    input:
        package="<results>/package/studies_run.txt",
        chosen="<results>/studies/chosen.json",
    output:
        "<results>/studies/rows/{study}_kappa{kappa}.csv",
    log:
        "<results>/logs/studies/rows/{study}_kappa{kappa}.log",
    benchmark:
        "<results>/benchmarks/studies/rows/{study}_kappa{kappa}.tsv"
    wildcard_constraints:
        study="|".join(name for name, study in STUDIES.items() if CHOSEN in study.variants),
    conda:
        "../envs/lpi.yaml"
    message:
        "Study {wildcards.study} with the chosen settings, kappa = {wildcards.kappa}"
    shell:
        "python -m lpi.studies.run run {wildcards.study} --kappa {wildcards.kappa} --chosen {input.chosen:q}"
        " --output {output:q} > {log:q} 2>&1"


rule studies_report:
    input:
        package="<results>/package/studies_report.txt",
        floors="<results>/studies/floors.csv",
        visits="<results>/studies/visits.csv",
        chosen="<results>/studies/chosen.json",
        rows=study_rows,
    output:
        expand("<results>/studies/report/{name}", name=STUDY_TABLES),
    log:
        "<results>/logs/studies/report.log",
    benchmark:
        "<results>/benchmarks/studies/report.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        folder=subpath(output[0], parent=True),
    message:
        "Read the studies"
    shell:
        "python -m lpi.studies.results report --rows {input.rows:q} --floors {input.floors:q} --visits {input.visits:q}"
        " --chosen {input.chosen:q} --folder {params.folder:q} > {log:q} 2>&1"


rule studies_notebook:
    input:
        package="<results>/package/studies_notebook.txt",
        notebook="notebooks/sensitivity.ipynb",
        tables=rules.studies_report.output,
    output:
        parameters="<results>/studies/notebooks/sensitivity.parameters.json",
        executed="<results>/studies/notebooks/sensitivity.ipynb",
        html=shown(
            "<results>/studies/notebooks/sensitivity.html", "Notebooks", "studies", "studies", notebook="sensitivity"
        ),
        figures=drawings(
            "<results>/studies/notebooks",
            {"explanations": "explanations", "figure7": "figure7"},
            "studies",
            "studies",
        ),
    log:
        "<results>/logs/studies/notebook.log",
    benchmark:
        "<results>/benchmarks/studies/notebook.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=sensitivity_parameters,
    message:
        "Draw the studies"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"


rule studies_publish:
    input:
        package="<results>/package/publish.txt",
        tables=rules.studies_report.output,
        figures=rules.studies_notebook.output.figures,
        notebooks=multiext("<results>/studies/notebooks/sensitivity", ".html", ".ipynb"),
    output:
        tables=expand("<figures>/studies/{name}", name=STUDY_TABLES),
        figures=expand("<figures>/studies/{name}.{kind}", name=["explanations", "figure7"], kind=["pdf", "png"]),
        notebooks=multiext("<figures>/studies/notebooks/sensitivity", ".html", ".ipynb"),
        provenance="<figures>/studies/provenance.json",
    log:
        "<results>/logs/publish/studies.log",
    benchmark:
        "<results>/benchmarks/publish/studies.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        configuration=studies_configuration,
        folder=subpath(output.provenance, parent=True),
    message:
        "Publish the studies: {params.folder}"
    shell:
        "python -m lpi.provenance --folder {params.folder:q} --configuration {params.configuration:q}"
        " {input.tables:q} {input.figures:q} {input.notebooks:q} > {log:q} 2>&1"
