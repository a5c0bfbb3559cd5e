"""A Slurm of one node on this machine, from the distribution's packages, without accounting."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")  # where Debian's daemons and commands read it, all of them
MARK = "# Of a Slurm that lpi's tests start and stop.\n"
VARIABLE = "LPI_SLURM_FOLDER"
"""Of the environment of everything that belongs to such a Slurm, down to its jobs: the folder of its files."""
TEMPLATE = """\
ClusterName=lpi
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
TaskProlog={folder}/prolog
TaskEpilog={folder}/epilog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MessageTimeout=10
BatchStartTimeout=120
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


PATIENCE = 180  # seconds for what takes one or two on an idle machine
TIED = ("setpriv", "--pdeathsig", "TERM")
"""Before a command: it is told to end when this process has ended, however that was."""


EPILOG = """\
read -r times < /proc/$PPID/stat
set -- $times
shift 15
echo "$SLURM_JOB_ID $(($1 + $2))" >> '{times}'
"""
"""Writes down what the processes of a step took, by what slurmstepd waited for: once for each step of a job."""


class Unavailable(Exception):
    """No Slurm can be started on this machine, and why."""


class Node:
    """The daemons, and what they are started with.

    They are children of this process in the foreground, so that none outlives it, however it ends.  Their jobs may; the
    next start ends these.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.prolog = folder / "prolog"
        """A script whose lines `export NAME=VALUE` become variables of every job on the node."""
        self._daemons: dict[str, subprocess.Popen] = {}

    def start(self):
        """Start all daemons and wait until the node takes jobs.

        Raises:
            Unavailable: the machine has a Slurm of its own, or does not let this one run.
        """
        self._configuration = _claimed()
        os.environ[VARIABLE] = str(self.folder)
        try:
            self._configuration.truncate(0)
            self._configuration.write(MARK + self._settings())
            self._configuration.flush()
            for name in ("state", "spool"):
                (self.folder / name).mkdir()
            self._give()
            (self.folder / "times").touch()
            _write_script(self.folder / "epilog", EPILOG.format(times=self.folder / "times"))
            self._start_munge()
            self._start_scheduler()
            self._start("slurmd", "-D")
            self._await(lambda: "idle" in _output("sinfo", "--noheader", "--format=%t"), "slurmd")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """Stop what was started and remove the configuration."""
        if "slurmd" in self._daemons:
            _output("scancel", "--user=root")
            with suppress(TimeoutError):
                _wait_for(lambda: not _output("squeue", "--noheader"), "jobs do not end", 30)
        for name in reversed(list(self._daemons)):
            self._end(name)
        del os.environ[VARIABLE]
        _end_all_of(str(self.folder))
        CONFIGURATION.unlink()
        self._configuration.close()

    @contextmanager
    def without_scheduler(self) -> Iterator[None]:
        self._end("slurmctld")
        try:
            yield
        finally:
            self._start_scheduler()

    @contextmanager
    def giving(self, **variables: str) -> Iterator[None]:
        """Jobs have these environment variables, as those of a node that is set up differently would."""
        self._give(**variables)
        try:
            yield
        finally:
            self._give()

    def _give(self, **variables: str):
        lines = [f"echo export {name}={value}" for name, value in variables.items()]
        _write_script(self.prolog, "\n".join(lines))

    def processor_seconds(self) -> dict[str, float]:
        """CPU time of each submission that has ended, by its id."""
        found: dict[str, float] = {}
        for line in (self.folder / "times").read_text(encoding="utf-8").splitlines():
            job, ticks = line.split()
            found[job] = found.get(job, 0.0) + int(ticks) / os.sysconf("SC_CLK_TCK")
        return found

    def _start_scheduler(self):
        self._start("slurmctld", "-D")
        self._await(lambda: "UP" in _output("scontrol", "ping"), "slurmctld")

    def _settings(self) -> str:
        megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        host = socket.gethostname().split(".")[0]
        return TEMPLATE.format(host=host, folder=self.folder, cpus=os.cpu_count(), megabytes=megabytes)

    def _start_munge(self):
        """A munge of its own, with its own key: that of the system, if there is one, is left alone."""
        key, socket_file = self.folder / "munge.key", self.folder / "munge.socket"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = [f"--{kind}-file={self.folder}/munge.{kind}" for kind in ("pid", "log", "seed")]
        self._start("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket_file}", *files)
        self._await(lambda: _succeeds("munge", "--no-input", f"--socket={socket_file}"), "munged")

    def _start(self, name: str, *options: str):
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        with (self.folder / f"{name}.output").open("ab") as output:
            self._daemons[name] = subprocess.Popen([*TIED, program, *options], stdout=output, stderr=output)

    def _await(self, condition, name: str):
        """Wait for a daemon that was started.

        Raises:
            Unavailable: it does not come up; the reason has its last line.
        """
        try:
            _wait_for(lambda: condition() or self._daemons[name].poll() is not None, "it does not answer")
            if self._daemons[name].poll() is not None:
                raise TimeoutError("it ended")
        except TimeoutError as error:
            lines = (self.folder / f"{name}.output").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise Unavailable(f"{name} does not run here: {[str(error), *lines][-1]}") from error

    def _end(self, name: str):
        process = self._daemons.pop(name)
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def running(rule: str) -> list[str]:
    """Ids of the jobs that run and whose comment names the rule."""
    rows = [line.split("|") for line in _output("squeue", "--noheader", "--states=R", "--format=%i|%k").splitlines()]
    return [number for number, comment in rows if rule in comment]


def wait_for_job(rule: str) -> str:
    """Id of a job of that rule, once one runs."""
    _wait_for(lambda: running(rule), f"no job of {rule} runs")
    return running(rule)[0]


def wait_for_step(job: str):
    """Wait until a job runs its commands, for which it needs the scheduler no more."""
    _wait_for(lambda: f"{job}.0" in _output("squeue", "--noheader", "--steps", "--format=%i").split(), "no step runs")


def _claimed():
    """The configuration's file, open and locked.

    One that a killed test left behind is taken over, and what is left of its jobs is ended.

    Raises:
        Unavailable: another Slurm's, or not to be written.
    """
    try:
        CONFIGURATION.parent.mkdir(exist_ok=True)
        file = CONFIGURATION.open("a+", encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{CONFIGURATION}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unavailable("another run of these tests uses it") from error
    file.seek(0)
    text = file.read()
    if text and not text.startswith(MARK):
        raise Unavailable(f"this machine has a Slurm: {CONFIGURATION}")
    if left := re.search("^StateSaveLocation=(.*)/state$", text, re.MULTILINE):
        _end_all_of(left[1])
    return file


def _end_all_of(folder: str):
    """End every process of a Slurm whose files are in that folder; jobs outlive its daemons."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if _belongs(process, folder):
                os.kill(int(process.name), signal.SIGKILL)


def _belongs(process: Path, folder: str) -> bool:
    """A job has the variable; slurmstepd, which runs it, writes its title over that, but has Slurm's log open."""
    if len(Path(folder).parts) < 3:  # no folder of a test
        return False
    if f"{VARIABLE}={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
        return True
    daemon = (process / "comm").read_text().startswith("slurm")
    return daemon and any(os.readlink(file).startswith(f"{folder}/") for file in (process / "fd").iterdir())


def _write_script(path: Path, commands: str):
    path.write_text(f"#!/bin/sh\n{commands}\n", encoding="utf-8")
    path.chmod(0o755)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _wait_for(condition, problem: str, seconds: float = PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(problem)
        time.sleep(0.2)
