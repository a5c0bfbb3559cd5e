"""A Slurm of one node on this machine, from the distribution's packages, without accounting."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")  # where Debian's daemons and commands read it, all of them
MUNGE_FOLDERS = ("/run/munge", "/var/lib/munge", "/var/log/munge")
TEMPLATE = """\
ClusterName=lpi
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
TaskProlog={folder}/prolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MessageTimeout=5
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={host} CPUs={cpus} RealMemory={megabytes}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


class Node:
    """The daemons, and what they are started with."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.prolog = folder / "prolog"
        """A script whose lines `export NAME=VALUE` become variables of every job on the node."""
        self._munge = None

    def start(self):
        """Start all daemons and wait until the node takes jobs.

        Raises:
            FileExistsError: the machine has a Slurm of its own.
            TimeoutError: the node does not come up.
        """
        with CONFIGURATION.open("x", encoding="utf-8") as file:
            file.write(self._configuration())
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        self.give()
        if subprocess.run(["munge", "-n"], capture_output=True).returncode:
            self._start_munge()
        self.start_scheduler()
        subprocess.run(["slurmd"], check=True)
        _wait_for(lambda: "idle" in _output("sinfo", "--noheader", "--format=%t"), "the node does not come up")

    def stop(self):
        """Stop what was started and remove the configuration."""
        _output("scancel", "--user=root")
        for name in ("slurmd", "slurmctld"):
            self._end(name)
        if self._munge:
            self._munge.terminate()
            self._munge.wait()
        CONFIGURATION.unlink()

    def start_scheduler(self):
        subprocess.run(["slurmctld"], check=True)

    def stop_scheduler(self):
        self._end("slurmctld")

    def give(self, **variables: str):
        """Give every job from now on these environment variables, as a node that is set up differently would."""
        lines = [f"echo export {name}={value}" for name, value in variables.items()]
        self.prolog.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
        self.prolog.chmod(0o755)

    def _configuration(self) -> str:
        megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        host = socket.gethostname().split(".")[0]
        return TEMPLATE.format(host=host, folder=self.folder, cpus=os.cpu_count(), megabytes=megabytes)

    def _start_munge(self):
        for name in MUNGE_FOLDERS:
            Path(name).mkdir(exist_ok=True)
            shutil.chown(name, "munge", "munge")
        os.chmod("/run/munge", 0o755)
        self._munge = subprocess.Popen(["runuser", "-u", "munge", "--", "munged", "--foreground"])
        _wait_for(lambda: not subprocess.run(["munge", "-n"], capture_output=True).returncode, "munge does not answer")

    def _end(self, name: str):
        file = self.folder / f"{name}.pid"
        if not file.exists():
            return
        process = int(file.read_text(encoding="utf-8"))
        os.kill(process, signal.SIGTERM)
        _wait_for(lambda: _ended(process), f"{name} does not end")


def running(rule: str) -> list[str]:
    """Ids of the jobs that run and whose comment names the rule."""
    rows = [line.split("|") for line in _output("squeue", "--noheader", "--states=R", "--format=%i|%k").splitlines()]
    return [number for number, comment in rows if rule in comment]


def wait_for_job(rule: str) -> str:
    """Id of a job of that rule, once one runs."""
    _wait_for(lambda: running(rule), f"no job of {rule} runs")
    return running(rule)[0]


def _ended(process: int) -> bool:
    """Whether a process is gone, or waits for its parent to notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _wait_for(condition, problem: str, seconds: float = 180):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(problem)
        time.sleep(0.2)
