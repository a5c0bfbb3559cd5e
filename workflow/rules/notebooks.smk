rule figure:
    input:
        package="<results>/package/notebook.txt",
        notebook="notebooks/{figure}.ipynb",
        curves="<results>/{reading}/curves.csv",
    output:
        parameters="<results>/{reading}/notebooks/{figure}.parameters.json",
        executed="<results>/{reading}/notebooks/{figure}.ipynb",
        html=shown(
            "<results>/{reading}/notebooks/{figure}.html", "Notebooks", "notebook", "{reading}", notebook="{figure}"
        ),
        pdf="<results>/{reading}/notebooks/{figure}.pdf",
        png=shown("<results>/{reading}/notebooks/{figure}.png", "Figures", "figure", "{reading}", figure="{figure}"),
    log:
        "<results>/logs/notebooks/{reading}/{figure}.log",
    benchmark:
        "<results>/benchmarks/notebooks/{reading}/{figure}.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=figure_parameters,
    message:
        "Draw {wildcards.figure} of {wildcards.reading}: {output.png}"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"


rule summary:
    input:
        package="<results>/package/summary.txt",
        notebook="notebooks/summary.ipynb",
        curves="<results>/{reading}/curves.csv",
        optima="<results>/{reading}/optima.csv",
        claims="<results>/{reading}/claims.csv",
    output:
        parameters="<results>/{reading}/notebooks/summary.parameters.json",
        executed="<results>/{reading}/notebooks/summary.ipynb",
        html=shown(
            "<results>/{reading}/notebooks/summary.html", "Notebooks", "notebook", "{reading}", notebook="summary"
        ),
        csv=shown("<results>/{reading}/notebooks/summary.csv", "Tables", "summary", "{reading}", table="summary"),
        markdown="<results>/{reading}/notebooks/summary.md",
        latex="<results>/{reading}/notebooks/summary.tex",
    log:
        "<results>/logs/notebooks/{reading}/summary.log",
    benchmark:
        "<results>/benchmarks/notebooks/{reading}/summary.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=summary_parameters,
    message:
        "Summarise {wildcards.reading}"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"


rule optimality_gap:
    input:
        package="<results>/package/notebook.txt",
        notebook="notebooks/optimality_gap.ipynb",
        curves="<results>/{reading}/curves.csv",
        optima="<results>/{reading}/optima.csv",
        locality=expand("<results>/locality/{means}.csv", means=MEANINGS),
        acting=expand("<results>/acting/{means}.csv", means=MEANINGS),
    output:
        parameters="<results>/{reading}/notebooks/optimality_gap.parameters.json",
        executed="<results>/{reading}/notebooks/optimality_gap.ipynb",
        html=shown(
            "<results>/{reading}/notebooks/optimality_gap.html",
            "Notebooks",
            "notebook",
            "{reading}",
            notebook="optimality_gap",
        ),
        figures=drawings("<results>/{reading}/notebooks", {name: name for name in TRUTHS}, "truths", "{reading}"),
    log:
        "<results>/logs/notebooks/{reading}/optimality_gap.log",
    benchmark:
        "<results>/benchmarks/notebooks/{reading}/optimality_gap.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=gap_parameters,
    message:
        "Hold {wildcards.reading} against the optimum"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"


rule claims_notebook:
    input:
        package="<results>/package/claims_notebook.txt",
        notebook="notebooks/claims.ipynb",
        claims="<results>/{reading}/claims.csv",
    output:
        parameters="<results>/{reading}/notebooks/claims.parameters.json",
        executed="<results>/{reading}/notebooks/claims.ipynb",
        html=shown("<results>/{reading}/notebooks/claims.html", "Notebooks", "notebook", "{reading}", notebook="claims"),
        pdf="<results>/{reading}/notebooks/claims.pdf",
        png=shown("<results>/{reading}/notebooks/claims.png", "Figures", "claims", "{reading}", figure="claims"),
    log:
        "<results>/logs/notebooks/{reading}/claims.log",
    benchmark:
        "<results>/benchmarks/notebooks/{reading}/claims.tsv"
    conda:
        "../envs/lpi.yaml"
    params:
        parameters=claims_parameters,
    message:
        "Show the verdicts under {wildcards.reading}"
    shell:
        "(printf '%s\\n' {params.parameters:q} > {output.parameters:q}"
        " && python -m lpi notebook {input.notebook:q} --parameters {output.parameters:q}"
        " --output {output.executed:q} --html {output.html:q}) > {log:q} 2>&1"
