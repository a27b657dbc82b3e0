"""The scripts of configs/cluster where Slurm fails them: its commands, `dask` and `sgdsim` are played"""

import ssl
from datetime import datetime

import pytest
from distributed.security import Security

from sgdsim.run.opened import open_run
from tests.cluster.stage import FAILS, NODE, SQUEUE_END, Stage
from tests.toy import make_experiment

WORKING = "until [ -e dask-scheduler.env ] && [ -e dask-worker.env ]; do sleep 0.02; done"
"""A run that ends when scheduler and worker have begun: both are in the background of the script."""
REQUEUED = ["scontrol requeue 7"]


@pytest.fixture(params=["array.sbatch", "dask.sbatch"])
def script(request):
    return request.param


@pytest.mark.parametrize("squeue", [FAILS, "true", "echo N/A", "echo; exit 0", f"echo {SQUEUE_END}; echo {SQUEUE_END}"])
def test_without_a_time_limit_where_squeue_does_not_tell_one(tmp_path, script, squeue):
    stage = Stage(tmp_path, script, squeue=squeue)
    assert stage.code == 0, stage.said
    (run,) = stage.called("sgdsim")
    assert "--max-time" not in run
    assert "Slurm does not say when the job ends: its warning alone will end the work." in stage.said


def test_the_end_of_the_job_as_squeue_tells_it(tmp_path, script):
    stage = Stage(tmp_path, script, {"WARNING": "600"})
    assert stage.code == 0, stage.said
    (run,) = stage.called("sgdsim")
    assert run.endswith("--max-time auto-600s")
    # In the time zone of the host.
    end = datetime.fromisoformat(SQUEUE_END).timestamp()
    assert stage.environment("sgdsim-run")["SLURM_JOB_END_TIME"] == f"{end:.0f}"


def test_the_end_of_the_job_as_its_environment_tells_it(tmp_path, script):
    stage = Stage(tmp_path, script, {"SLURM_JOB_END_TIME": "1893456000"}, squeue=FAILS)
    assert stage.code == 0, stage.said
    assert not stage.called("squeue")
    assert stage.called("sgdsim")[0].endswith("--max-time auto-120s")
    assert stage.environment("sgdsim-run")["SLURM_JOB_END_TIME"] == "1893456000"


@pytest.mark.parametrize(("code", "restarts", "calls"), [(75, "49", True), (75, "50", False), (1, "0", False)])
def test_what_is_not_done_is_requeued(tmp_path, script, code, restarts, calls):
    stage = Stage(tmp_path, script, {"SLURM_RESTART_COUNT": restarts}, sgdsim=f"exit {code}")
    assert stage.code == code
    job = "7_2" if script == "array.sbatch" else "7"
    assert stage.called("scontrol", "requeue") == [f"scontrol requeue {job}"] * calls


def test_a_requeue_that_fails_leaves_the_code_that_says_it(tmp_path, script):
    stage = Stage(tmp_path, script, sgdsim="exit 75", scontrol=f'{{ [ "$1" = show ] && {NODE}; }} || {{ {FAILS}; }}')
    assert stage.code == 75
    assert "Slurm did not requeue the job: submit the same" in stage.said


SILENT = {
    "fails": FAILS,
    "fails after it has spoken": f"{NODE}; exit 1",
    "says nothing": "true",
    "names no address": 'echo "NodeName=n1 State=DOWN"',
    "names two": f"{NODE}; {NODE}",
    "names an empty one": 'echo "NodeName=n1 NodeAddr= State=IDLE"',
    "names all networks": 'echo "NodeName=n1 NodeAddr=0.0.0.0 State=IDLE"',
    "names all networks, in IPv6": 'echo "NodeName=n1 NodeAddr=:: State=IDLE"',
    "names what is no address": """echo 'NodeName=n1 NodeAddr=$(id) State=IDLE'""",
}


@pytest.mark.parametrize("scontrol", SILENT.values(), ids=SILENT)
def test_no_dask_without_an_address(tmp_path, scontrol):
    stage = Stage(tmp_path, "dask.sbatch", scontrol=f'[ "$1" = requeue ] || {{ {scontrol}; }}')
    assert stage.code == 75, stage.said
    assert stage.called("scontrol", "requeue") == REQUEUED
    assert not stage.called("dask") + stage.called("srun") + stage.called("sgdsim")
    assert "Slurm does not say the address of the node n1: no Dask is started there." in stage.said
    assert not list(stage.out.glob("live/*"))


def test_no_worker_without_an_address(tmp_path):
    """One that has none ends alone; where all have ended, the run is told."""
    only_first = f'[ "$1" = requeue ] || {{ [ "$4" = n1 ] && {NODE}; }}'
    warned = "trap 'exit 75' USR1; while :; do command -p sleep 0.02; done"
    stage = Stage(tmp_path, "dask.sbatch", scontrol=only_first, sgdsim=warned, sleep="true")
    assert stage.code == 75, stage.said
    assert len(stage.called("dask", "scheduler")) == 1
    assert not stage.called("dask", "worker")
    assert "Slurm does not say the address of the node n2" in stage.said
    assert stage.called("scontrol", "requeue") == REQUEUED


def test_each_part_listens_on_the_address_of_its_node(tmp_path):
    stage = Stage(tmp_path, "dask.sbatch", sgdsim=WORKING)
    assert stage.code == 0, stage.said
    (scheduler,), (worker,) = stage.called("dask", "scheduler"), stage.called("dask", "worker")
    assert "--host 10.0.0.1 " in scheduler
    assert "--host 10.0.0.2 " in worker


def handshake(server, client):
    """Whether two ends of a connection in memory come to an agreement."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(there, back, server_side=True), client.wrap_bio(back, there)]
    for _ in range(10):
        left = []
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                left.append(end)
        if not left:
            return True
    return False


def context(role, listens, configuration):
    """The context of TLS that Dask makes of the variables of an environment."""
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    names = {
        "tls_ca_file": f"{tls}CA_FILE",
        f"tls_{role}_cert": f"{tls}{role.upper()}__CERT",
        f"tls_{role}_key": f"{tls}{role.upper()}__KEY",
    }
    security = Security(require_encryption=True, **{name: configuration[of] for name, of in names.items()})
    arguments = security.get_listen_args(role) if listens else security.get_connection_args(role)
    return arguments["ssl_context"]


def test_dask_speaks_tls_with_a_certificate_of_the_job(tmp_path):
    kept = f"{WORKING}; cp -a 'été run'/live/tls-7-* kept; openssl x509 -in kept/cert.pem -noout -enddate > end"
    soon = str(int(datetime.now().timestamp()) + 3600)
    stage = Stage(tmp_path, "dask.sbatch", {"SLURM_JOB_END_TIME": soon}, sgdsim=kept)
    assert stage.code == 0, stage.said
    assert not list(stage.out.glob("live/*"))

    folder = tmp_path / "kept"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {"key.pem", "cert.pem"} <= {path.name for path in folder.iterdir()}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert "PRIVATE KEY" in (folder / "key.pem").read_text()
    end = (tmp_path / "end").read_text().strip().removeprefix("notAfter=")
    assert 86400 < ssl.cert_time_to_seconds(end) - int(soon) < 2 * 86400

    roles = {name: stage.environment(name) for name in ("dask-scheduler", "dask-worker", "sgdsim-run")}
    for environment in roles.values():
        assert environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "True"
        assert environment["DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME"] == "tls"
    gone = environment["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"].removesuffix("/cert.pem")
    there = {
        name: {key: value.replace(gone, str(folder)) for key, value in environment.items()}
        for name, environment in roles.items()
    }
    scheduler = context("scheduler", True, there["dask-scheduler"])
    for role, name in (("worker", "dask-worker"), ("client", "sgdsim-run")):
        assert handshake(scheduler, context(role, False, there[name]))
    assert handshake(
        context("worker", True, there["dask-worker"]), context("scheduler", False, there["dask-scheduler"])
    )
    stranger = ssl.create_default_context(cafile=folder / "cert.pem")
    stranger.check_hostname = False
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(scheduler, stranger)


def test_tls_is_off_where_the_script_says_so(tmp_path):
    def edit(text):
        assert text.count("\ntls=job\n") == 1
        return text.replace("\ntls=job\n", "\ntls=none\n")

    stage = Stage(tmp_path, "dask.sbatch", edit=edit, sgdsim=f"ls 'été run/live' > seen; {WORKING}")
    assert stage.code == 0, stage.said
    assert "tls" not in (tmp_path / "seen").read_text()
    for name in ("dask-scheduler", "dask-worker", "sgdsim-run"):
        environment = stage.environment(name)
        assert not [key for key in environment if key.startswith("DASK_DISTRIBUTED__COMM")]
        pages = {environment[f"DASK_DISTRIBUTED__{part}__HTTP__ROUTES"] for part in ("SCHEDULER", "WORKER")}
        assert pages == {"[]"}


@pytest.mark.parametrize("part", [{"openssl": "echo 'unknown option' >&2; exit 1"}, {"mktemp": "exit 1"}])
def test_nothing_is_started_without_a_certificate(tmp_path, part):
    stage = Stage(tmp_path, "dask.sbatch", **part)
    assert stage.code == 1
    assert stage.said.endswith("There is no certificate for TLS: nothing was started.\n")
    assert "openssl" not in part or "unknown option" in stage.said
    assert not stage.called("dask") + stage.called("srun") + stage.called("sgdsim")
    assert not list(stage.out.glob("live/*"))


def test_a_key_that_a_killed_start_has_left_is_removed(tmp_path):
    def leave(text):
        for job in (7, 77):
            (tmp_path / "été run" / "live" / f"tls-{job}-abc").mkdir(parents=True)
        return text

    stage = Stage(tmp_path, "dask.sbatch", edit=leave)
    assert stage.code == 0, stage.said
    assert [path.name for path in stage.out.glob("live/*")] == ["tls-77-abc"]


def test_a_node_whose_clock_is_behind_waits_for_the_certificate(tmp_path):
    first = '[ "$SLURMD_NODENAME" = n2 ] && [ ! -e waits ] && { touch waits; echo 5; exit; }'
    played = {"date": f'{first}; command -p date "$@"', "sleep": 'command -p sleep "$1"'}
    stage = Stage(tmp_path, "dask.sbatch", sgdsim=WORKING, **played)
    assert stage.code == 0, stage.said
    assert (tmp_path / "waits").exists()
    assert stage.called("sleep", "1") == ["sleep 1"]


def test_a_run_begins_in_a_folder_that_holds_what_the_script_puts_there_first(tmp_path):
    (tmp_path / "live" / "tls-7-abc").mkdir(parents=True)
    (tmp_path / "live" / "scheduler-7-0.json").write_text("{}")
    opened = open_run(make_experiment(d=(20,), replicas=4), tmp_path)
    assert opened.missing == opened.blocks
    assert (tmp_path / "live" / "tls-7-abc").is_dir()
