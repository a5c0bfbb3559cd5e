# What the targets apart from the default job are made from: studies, multiverse, verify.
from lpi.config import ConfigError
from lpi.studies.design import FACTORS, STUDIES


def study_rows(wildcards):
    """The runs of all studies."""
    return [f"<results>/studies/rows/{name}_kappa{k}.csv" for name, study in STUDIES.items() for k in study.kappas]


def screening_rows(wildcards):
    """The runs that the settings of Figure 7 are chosen from."""
    return [f"<results>/studies/rows/{name}_kappa{k}.csv" for name in FACTORS for k in STUDIES[name].kappas]


def multiverse_fingerprint(wildcards):
    """What a job trains: another value of a setting trains it again, another comment in the design does not."""
    return MULTIVERSE.fingerprint(MULTIVERSE.jobs()[wildcards.job])


def multiverse_jobs(wildcards):
    """The curves of all readings at one number of agents."""
    jobs = [name for name, cases in MULTIVERSE.jobs().items() if cases[0].agents == int(wildcards.agents)]
    return expand("<results>/multiverse/jobs/{job}.csv", job=jobs)


def verified_panels():
    """The panels that the target verify trains anew; a mistake ends the program with one line, before any job."""
    try:
        return EXPERIMENT.verified
    except ConfigError as error:
        refuse_config(error)


def verified_runs(wildcards):
    """The runs that are held against the committed tables."""
    run = "<results>/verify/{reading}/n{panel[0]}_kappa{kappa}_tau{panel[1]}_seed{seed}.csv"
    grid = dict(reading=EXPERIMENT.readings, panel=verified_panels(), kappa=EXPERIMENT.kappas, seed=EXPERIMENT.seeds)
    return expand(run, **grid)


def verified_optima(wildcards):
    """The optima that are held against the committed tables."""
    optimum = "<results>/verify/{reading}/optimum_n{panel[0]}_tau{panel[1]}.csv"
    return expand(optimum, reading=EXPERIMENT.readings, panel=verified_panels())
