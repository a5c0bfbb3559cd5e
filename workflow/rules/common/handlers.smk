# What the Snakefile does before the first job and after a failure.
import os
import sys
from pathlib import Path

from lpi.clock import set_back
from lpi.cluster import refusal
from lpi.folders import trouble, unwritable
from lpi.progress import watch
from lpi.runs import watch as keep_journal


def keep_asking_squeue():
    """Let the Slurm executor go on asking squeue when the scheduler does not answer.

    It asks the scheduler each time how long finished jobs are remembered, takes silence for no time, and from then on
    asks sacct alone, which never answers where there is no accounting (version 2.8.0).
    """
    if workflow.executor_plugin.name == "slurm":
        plugin = sys.modules[workflow.executor_plugin.executor.__module__]
        remembered = plugin.get_min_job_age()
        plugin.get_min_job_age = lambda: remembered


def slurm_refusals():
    """What Slurm has against the jobs of this call, a line for each partition and account; nothing elsewhere.

    The executor plugin says none of this of grouped jobs, and waits for ever where it cannot ask for partitions.
    """
    if workflow.executor_plugin.name != "slurm":
        return []
    jobs = {job.rule.name: job for job in workflow.dag.needrun_jobs() if not job.is_local}
    asked = [(job.resources.get("slurm_partition"), job.resources.get("slurm_account")) for job in jobs.values()]
    found = [refusal(partition, account) for partition, account in dict.fromkeys(asked)]
    return [f"slurm: {reason}" for reason in found if reason]


def unwritable_folders():
    """A line for each folder that the jobs of this call write into and cannot."""
    folders = {os.path.dirname(path) for job in workflow.dag.needrun_jobs() for path in job.output}
    return unwritable(sorted(folders))


def report_future_files():
    """Set files from the future to the present: Snakemake would refuse what the jobs of this call make from them."""
    files = {path for job in workflow.dag.jobs for path in (*job.input, *job.output)}
    count, left = set_back(files, ".snakemake")
    if count:
        print(f"{count} files were from the future, as after a clock that was set back: their time is the present now.")
    if left:
        print(f"{left} files are from the future and cannot be set to the present: touch them, or set the clock.")
