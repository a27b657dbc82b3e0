"""A private, real Slurm of two nodes on this machine: `python tests/cluster/slurm_lab.py up|down FOLDER`, as root.

One controller, a slurmd for each node, and a munged with a key of its own; no systemd, no cgroups, no database. All
state lies in the folder, which `up` makes and `down` removes. Packages of Debian and Ubuntu are installed where
they are missing.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

NODES = ("n1", "n2")
CPUS = 2
GPUS = 2
"""Cores and GPUs that each node claims to have: Slurm takes any device for a GPU, deals it out and names it."""
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
DAEMONS = ("slurmctld", "slurmd", "slurmstepd", "munged")
"""Beginnings of the names that the daemons have as processes; Debian appends -wlm."""
START_SECONDS = 30.0
STOP_SECONDS = 5.0

CONFIGURATION = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its old credentials have expired, two minutes by default.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmctldPidFile={folder}/pid/slurmctld
SlurmdPidFile={folder}/pid/%n
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/%n
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=3,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=12
SlurmctldTimeout=30
SlurmdTimeout=10
GresTypes=gpu
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]},{ports[2]}] CPUs={cpus} Gres=gpu:{gpus}
PartitionName=main Nodes=ALL Default=YES State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL State=UP PriorityTier=10 PreemptMode=OFF
"""


class LabError(Exception):
    """What keeps a Slurm from starting here."""


class SlurmLab:
    """The Slurm whose state lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.environment = os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def up(self) -> None:
        """Starts it, and returns when both nodes take jobs.

        **Raises:** LabError with what is wrong, and with what the daemons said; then nothing is left running.
        """
        install()
        if self.folder.exists():
            raise LabError(f"{self.folder}: exists; choose another folder, or run `down` first")
        for name in ("munge", "pid", "log", "state", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        self._configure()
        try:
            self._start_munge()
            self._start("slurmctld", "-c")
            for node in NODES:
                self.start_node(node)
            wait_for(lambda: self.states() == dict.fromkeys(NODES, "idle"), START_SECONDS, "the nodes did not come up")
            self.call("srun", "-N2", "true", timeout=START_SECONDS)
        except (LabError, OSError, subprocess.SubprocessError) as error:
            said = self._logs()
            self.down()
            raise LabError(f"{error}\n{said}") from error

    def down(self) -> None:
        """Stops it, with every job, and removes its folder."""
        _signal(self._processes(), signal.SIGTERM)
        with contextlib.suppress(LabError):
            wait_for(lambda: not self._processes(), STOP_SECONDS, "processes did not end")
        _signal(self._processes(), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_node(self, node: str) -> None:
        """Starts the slurmd of a node, as when its machine is switched on."""
        self._start("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """Kills the slurmd of a node and whatever runs there, as when its machine loses power."""
        _signal(self._processes(node), signal.SIGKILL)

    def call(self, *command: str, timeout: float = START_SECONDS) -> str:
        """What a command of Slurm prints.

        **Raises:** CalledProcessError, TimeoutExpired.
        """
        process = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=timeout, env=self.environment
        )
        return process.stdout.strip()

    def states(self) -> dict[str, str]:
        """State of every node: idle, mixed, allocated, down*, ..."""
        lines = self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T").splitlines()
        return dict(line.split() for line in lines)

    def _configure(self) -> None:
        munge = self.folder / "munge"
        munge.chmod(0o711)
        (munge / "key").touch(mode=0o600)
        (munge / "key").write_bytes(os.urandom(1024))
        host, ports = socket.gethostname().partition(".")[0], free_ports(3)
        text = CONFIGURATION.format(folder=self.folder, host=host, ports=ports, cpus=CPUS, gpus=GPUS)
        (self.folder / "slurm.conf").write_text(text)
        for gpu in range(GPUS):
            (self.folder / f"gpu{gpu}").symlink_to("/dev/null")
        (self.folder / "gres.conf").write_text(f"NodeName=n[1-2] Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n")
        # Nothing here uses cgroups, but slurmd will not start where it cannot tell which version the machine has.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")

    def _start_munge(self) -> None:
        munge, pid, log = self.folder / "munge", self.folder / "pid" / "munged", self.folder / "log" / "munged"
        files = [f"--key-file={munge}/key", f"--socket={munge}/socket", f"--seed-file={munge}/seed"]
        self._start("munged", "--force", *files, f"--pid-file={pid}", f"--log-file={log}")

    def _start(self, *command: str) -> None:
        """Starts a daemon; it puts itself into the background."""
        program = _program(command[0])
        if program is None:
            raise LabError(f"{command[0]}: not found")
        with (self.folder / "log" / "start").open("a") as said:
            subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=True,
                timeout=START_SECONDS,
                env=self.environment,
            )

    def _processes(self, node: str | None = None) -> list[int]:
        """The daemons and all processes of jobs; of one node or of all."""
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if self._owns(path, node)]

    def _owns(self, process: Path, node: str | None) -> bool:
        try:
            environment = dict(
                line.split("=", 1)
                for line in (process / "environ").read_text(errors="replace").split("\0")
                if "=" in line
            )
            daemon = (process / "exe").readlink().name.startswith(DAEMONS)
            if environment.get("SLURM_CONF") != self.environment["SLURM_CONF"]:
                return False
            if node is None:
                return daemon or "SLURM_JOB_ID" in environment
            # A slurmstepd does not say whose it is, but it writes into the log of its slurmd.
            log = self.folder / "log" / node
            return environment.get("SLURMD_NODENAME") == node or (daemon and log in _open_files(process))
        except OSError:  # gone, or one of the kernel's
            return False

    def _logs(self) -> str:
        """The last lines of every log."""
        tails = [(path.name, path.read_text(errors="replace").splitlines()[-8:]) for path in self.folder.glob("log/*")]
        return "\n".join(f"{name}: {line}" for name, lines in tails for line in lines)


def install() -> None:
    """Installs Slurm and munge where they are missing.

    **Raises:** LabError where that is not possible.
    """
    if os.geteuid() != 0:
        raise LabError("a Slurm of its own can only be started by root; run as root, in a container for instance")
    if all(map(_program, PROGRAMS)):
        return
    if shutil.which("apt-get") is None:
        raise LabError(f"install Slurm and munge first ({', '.join(PROGRAMS)}): there is no apt-get to do it with")
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "slurm-wlm", "munge"]):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        process = subprocess.run(["apt-get", *command], capture_output=True, text=True, env=environment)
        if process.returncode != 0:
            raise LabError(f"apt-get {' '.join(command)}: {process.stderr.strip()}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [end.getsockname()[1] for end in sockets]


def wait_for(ready: Callable[[], bool], seconds: float, failure: str) -> None:
    """Waits until `ready()`.

    **Raises:** LabError with `failure` where that takes longer than some seconds.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{failure} in {seconds:.0f} s")
        time.sleep(0.2)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _open_files(process: Path) -> set[Path]:
    return {file.readlink() for file in (process / "fd").iterdir()}


def _signal(processes: Iterable[int], number: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def main(action: str, folder: str) -> None:
    """Starts or stops a Slurm from the shell; says how to use it."""
    lab = SlurmLab(Path(folder))
    if action == "down":
        lab.down()
        return
    try:
        lab.up()
    except LabError as error:
        sys.exit(f"slurm_lab: {error}")
    sys.stdout.write(f"export SLURM_CONF={lab.environment['SLURM_CONF']}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("up", "down"):
        sys.exit("usage: python tests/cluster/slurm_lab.py up|down FOLDER")
    main(*sys.argv[1:])
