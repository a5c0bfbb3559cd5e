# LPI beside the localized actor-critic, apart from the default job:  .venv/bin/snakemake --cores 2 baseline
rule baseline:
    input:
        "<results>/baseline/report/baseline.md",
        "<figures>/baseline/provenance.json",
    message:
        "LPI beside the localized actor-critic"


rule baseline_screen:
    input:
        "<results>/package/baseline_run.txt",
    output:
        "<results>/baseline/screen_kappa{kappa}.csv",
    log:
        "<results>/logs/baseline/screen_kappa{kappa}.log",
    benchmark:
        "<results>/benchmarks/baseline/screen_kappa{kappa}.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "Try the steps of both algorithms: kappa = {wildcards.kappa}"
    shell:
        "python -m lpi.baselines.compare run screen --kappa {wildcards.kappa} --output {output:q} > {log:q} 2>&1"


rule baseline_choose:
    input:
        package="<results>/package/baseline_run.txt",
        rows=expand("<results>/baseline/screen_kappa{kappa}.csv", kappa=BASELINE_KAPPAS),
    output:
        "<results>/baseline/chosen.json",
    log:
        "<results>/logs/baseline/choose.log",
    benchmark:
        "<results>/benchmarks/baseline/choose.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "Choose the steps"
    shell:
        "python -m lpi.baselines.compare choose --rows {input.rows:q} --output {output:q} > {log:q} 2>&1"


rule baseline_result:
    input:
        package="<results>/package/baseline_run.txt",
        chosen="<results>/baseline/chosen.json",
    output:
        "<results>/baseline/result_kappa{kappa}.csv",
    log:
        "<results>/logs/baseline/result_kappa{kappa}.log",
    benchmark:
        "<results>/benchmarks/baseline/result_kappa{kappa}.tsv"
    conda:
        "../envs/lpi.yaml"
    message:
        "Run both algorithms: kappa = {wildcards.kappa}"
    shell:
        "python -m lpi.baselines.compare run result --kappa {wildcards.kappa} --chosen {input.chosen:q}"
        " --output {output:q} > {log:q} 2>&1"


rule baseline_report:
    input:
        package="<results>/package/baseline_report.txt",
        first_run="lpi/baselines/first_run.csv",
        chosen="<results>/baseline/chosen.json",
        screen=expand("<results>/baseline/screen_kappa{kappa}.csv", kappa=BASELINE_KAPPAS),
        result=expand("<results>/baseline/result_kappa{kappa}.csv", kappa=BASELINE_KAPPAS),
    output:
        "<results>/baseline/report/baseline.md",
        shown("<results>/baseline/report/baseline.csv", "Tables", "baseline", "baseline", table="baseline"),
        drawings("<results>/baseline/report", {"baseline": "LPI and actor-critic"}, "baseline", "baseline"),
    log:
        "<results>/logs/baseline/report.log",
    benchmark:
        "<results>/benchmarks/baseline/report.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        folder=subpath(output[0], parent=True),
    message:
        "Compare both algorithms"
    shell:
        "python -m lpi.baselines.report --screen {input.screen:q} --result {input.result:q}"
        " --chosen {input.chosen:q} --folder {params.folder:q} > {log:q} 2>&1"


rule publish_baseline:
    input:
        package="<results>/package/publish.txt",
        files=rules.baseline_report.output,
    output:
        files=multiext("<figures>/baseline/baseline", ".md", ".csv", ".pdf", ".png"),
        provenance="<figures>/baseline/provenance.json",
    log:
        "<results>/logs/publish/baseline.log",
    benchmark:
        "<results>/benchmarks/publish/baseline.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        configuration=baseline_configuration,
        folder=subpath(output.provenance, parent=True),
    message:
        "Publish the comparison of both algorithms: {params.folder}"
    shell:
        "python -m lpi.provenance --folder {params.folder:q} --configuration {params.configuration:q}"
        " {input.files:q} > {log:q} 2>&1"
