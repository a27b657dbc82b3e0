"""A Dask cluster of real processes on this machine."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

from tests.processes import ROOT, blocks

PATIENCE = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "4s"}
INTO_SECONDS = 0.03
"""A block that has been in hand for so long is not about to be stored."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(folder):
    """Dask's configuration for TLS, with a key and a certificate of their own, as variables of the environment."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", made]
    subprocess.run(["openssl", "req", "-x509", *options], check=True, capture_output=True)
    tls = {"CA_FILE": made}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        tls |= {f"{role}__KEY": key, f"{role}__CERT": made}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in tls.items()}


def speaks_to_strangers(address):
    """Whether a scheduler tells anything to who has no certificate, in the clear or over TLS."""
    _, host, port = address.replace("//", "").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain, contextlib.suppress(ConnectionError):
        plain.sendall(bytes(64))
        if b"compression" in plain.recv(4096):  # what ends of Dask tell one another first
            return True
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, int(port)), timeout=10) as plain,
        anybody.wrap_socket(plain) as hidden,
    ):
        return bool(hidden.recv(1))
    return False


def shows_pages(port):
    """Whether the status pages of a scheduler on this machine can be read."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/json/counts.json")
        return connection.getresponse().status == 200


class Cluster:
    """A scheduler, and workers that are started again when they die.

    - `environment`: what its clients need.
    """

    def __init__(self, folder, protocol="tcp", workers=3):
        self.environment = PATIENCE | (certificate(folder) if protocol == "tls" else {})
        self.address = f"{protocol}://127.0.0.1:{free_port()}"
        self.file = folder / "scheduler.json"
        self._folder = folder
        self.start_scheduler()
        self._workers = self._start("tests.cluster.workers", self.address, workers, folder) if workers else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self._workers, self._scheduler):
            if process:
                process.kill()
                process.wait()

    def start_scheduler(self):
        protocol, host, port = self.address.replace("//", "").split(":")
        options = ["--host", host, "--port", port, "--protocol", protocol, "--scheduler-file", self.file]
        self._scheduler = self._start("distributed.cli.dask_scheduler", *options, "--no-dashboard")

    def kill_scheduler(self):
        self._scheduler.kill()
        self._scheduler.wait()

    def _start(self, module, *arguments):
        one_device = {"JAX_NUM_CPU_DEVICES": "1", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        with (self._folder / "cluster.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                cwd=ROOT,
                env=os.environ | self.environment | one_device,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def in_hand(folder):
    """The blocks that are claimed and not on disk, and the process id of who has each."""
    found = {}
    for path in folder.glob("live/claims/c*.npz"):
        try:
            found[path.name] = int(path.readlink().name.split(".")[-2])
        except FileNotFoundError:
            continue
    return {name: pid for name, pid in found.items() if name not in blocks(folder)}


def kill_in_mid_block(run):
    """`kill -9` of a worker with a block in hand; returns the block."""
    fresh = {}

    def begun():
        nonlocal fresh
        fresh = dict(in_hand(run.folder).items() - before.items())
        return fresh

    while True:
        before = in_hand(run.folder)
        run.wait_for(begun)
        name, pid = fresh.popitem()
        time.sleep(INTO_SECONDS)
        if in_hand(run.folder).get(name) == pid:
            os.kill(pid, signal.SIGKILL)
            return name
