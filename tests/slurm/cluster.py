"""A real SLURM cluster of two nodes on this one machine, for tests and for trying things out.

Each node has a network, process, mount and host name space of its own, as Ray needs it, and one core; the
controller runs outside them. Two partitions: jobs in ``high`` preempt those in ``low``, which are requeued.

    python tests/slurm/cluster.py      # as root; prints the variable to set, runs until it is interrupted
"""

import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "ip", "unshare")
PACKAGES = "slurmctld slurmd slurm-client munge iproute2"
BRIDGE = "hpo-slurm"
NETWORK = "10.213.77"
NODES = {"n1": f"{NETWORK}.11", "n2": f"{NETWORK}.12"}

CONF = """\
ClusterName=hpo
SlurmctldHost={host}({network}.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5,socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
InactiveLimit=0
KillWait=5
NodeName=n1 NodeAddr={network}.11 CPUs=1 State=UNKNOWN
NodeName=n2 NodeAddr={network}.12 CPUs=1 State=UNKNOWN
PartitionName=low Nodes=n[1-2] Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=40 State=UP
PartitionName=high Nodes=n[1-2] PriorityTier=2 PreemptMode=OFF State=UP
"""

NODE = """\
set -e
hostname {name}
mount --bind {folder}/hosts /etc/hosts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /sys/fs/cgroup
for _ in $(seq 200); do ip link show eth0 > /dev/null 2>&1 && break; sleep 0.05; done
ip link set lo up
ip addr add {address}/24 dev eth0
ip link set eth0 up
exec slurmd -D -N {name} -f {folder}/slurm.conf
"""


def missing():
    """Why no cluster can be started here, or an empty text."""
    if os.geteuid() != 0:
        return "root is needed for the nodes' name spaces"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"{', '.join(absent)} is not installed: apt-get install {PACKAGES}"
    if subprocess.run(["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "true"]).returncode:
        return "this machine allows no name spaces"
    return ""


class Cluster:
    """The running cluster; ``environment`` is what a program needs to find it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.environment = os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._started = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        for name in ("state", "munge", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        (self.folder / "munge").chmod(0o755)
        facts = {"folder": self.folder, "network": NETWORK, "host": platform.node().split(".")[0]}
        (self.folder / "slurm.conf").write_text(CONF.format(**facts))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        hosts = "".join(f"{address} {name}\n" for name, address in NODES.items())
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}{NETWORK}.1 {facts['host']}\n")
        self._start_munge()
        self._run("ip", "link", "add", BRIDGE, "type", "bridge")
        self._run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        self._run("ip", "link", "set", BRIDGE, "up")
        self._spawn("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        for name in NODES:
            self.start_node(name)
        self.wait_until(lambda: self.states() == dict.fromkeys(NODES, "idle"), 60, "the nodes are idle")

    def _start_munge(self):
        place = self.folder / "munge"
        (place / "key").write_bytes(os.urandom(128))
        (place / "key").chmod(0o600)
        files = {"key": "key", "socket": "socket", "pid": "pid", "log": "log", "seed": "seed"}
        words = [
            f"--{name}{'' if name == 'socket' else '-file'}={place / file}" for name, file in files.items()
        ]
        self._spawn("munged", "--foreground", "--force", *words)
        self.wait_until(lambda: (place / "socket").exists(), 20, "munge listens")

    def start_node(self, name):
        """Start a node in name spaces of its own."""
        script = NODE.format(name=name, address=NODES[name], folder=self.folder)
        spaces = ("--net", "--pid", "--mount", "--uts", "--fork", "--mount-proc", "--kill-child")
        node = self._spawn("unshare", *spaces, "bash", "-c", script)
        mine = Path("/proc/self/ns/net").readlink()
        self.wait_until(
            lambda: Path(f"/proc/{node.pid}/ns/net").readlink() != mine, 20, f"{name} has a network"
        )
        veth = ("type", "veth", "peer", "name", "eth0", "netns", str(node.pid))
        self._run("ip", "link", "add", f"hpo-{name}", *veth)
        self._run("ip", "link", "set", f"hpo-{name}", "master", BRIDGE, "up")
        (self.folder / f"{name}.pid").write_text(str(node.pid))

    def states(self):
        """The nodes and their states, as ``sinfo`` has them."""
        told = self.ask("sinfo", "--noheader", "--Node", "--partition=low", "--format=%N %T")
        return dict(line.split() for line in told.splitlines())

    def ask(self, *words):
        """What a command of SLURM's prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def processes(self, name):
        """The processes of a node: number and command line."""
        space = Path(f"/proc/{(self.folder / f'{name}.pid').read_text()}/ns/net").readlink()
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if (place / "ns" / "net").readlink() == space:
                    found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it has ended meanwhile
        return found

    def kill_work(self, name):
        """Kill whatever runs on a node for jobs, at once and without a word; the node itself stays."""
        for number, command in self.processes(name).items():
            if not command.startswith(("unshare", "slurmd ", "bash -c set -e")):
                try:
                    os.kill(number, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def wait_until(self, holds, seconds, what):
        """Wait for something to hold.

        Raises
        ------
        TimeoutError
            if it does not, with the ends of the logs.
        """
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                ends = [f"{path}:\n{path.read_text()[-1500:]}" for path in self.folder.glob("slurm*.log")]
                raise TimeoutError("\n".join([f"not in {seconds} s: {what}", *ends]))
            time.sleep(0.2)

    def _run(self, *words):
        subprocess.run(words, check=True)

    def _spawn(self, *words):
        with (self.folder / "words.log").open("ab") as log:
            process = subprocess.Popen(
                words, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self._started.append(process)
        return process

    def __exit__(self, *_):
        for process in reversed(self._started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in NODES:
            subprocess.run(["ip", "link", "del", f"hpo-{name}"], capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)


if __name__ == "__main__":
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory(prefix="hpo-slurm-") as place, Cluster(place):
        print(f"export SLURM_CONF={place}/slurm.conf   # sinfo, sbatch and hpo submit now know the cluster")
        with suppress(KeyboardInterrupt):
            signal.pause()
