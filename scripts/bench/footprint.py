"""Memory, CPU and task latency of the running appliance beside Airflow's and MLflow's defaults.

    .venv/bin/python scripts/bench/footprint.py [--seconds 60] [--rounds 5] [--no-peer]

The appliance of $APPLIANCE_HOME must be up. The peers, `airflow standalone` and `mlflow server` with
their defaults, run in a temporary folder and, because they listen on every address, in a network
namespace of their own; that needs root. Memory is the sum of PSS over all processes; CPU is user +
system time over the window, in per cent of one core. The appliance does its work meanwhile (candles, its
workflows each minute); the peers only parse Airflow's example DAGs.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from appliance.airflow_api.auth import TokenSource
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.ports import service_url
from appliance.config.secret import Secret, read_secret

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36
DAG_ID = "bench_sequence_wf"
DAG = f'''
from airflow.sdk import dag, task

@dag(dag_id="{DAG_ID}", schedule=None)
def bench():
    previous = None
    for number in range(5):
        @task(task_id=f"step_{{number}}")
        def step():
            return None
        current = step()
        if previous is not None:
            previous >> current
        previous = current

bench()
'''


@dataclass(frozen=True, slots=True)
class Footprint:
    """Idle cost of a set of processes; bytes and per cent of one core."""

    processes: int
    pss: int
    cpu_percent: float


def descendants(root: int) -> set[int]:
    """Return root and every process below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = set[int](), [root]
    while queue:
        pid = queue.pop()
        found.add(pid)
        queue.extend(parents.get(pid, ()))
    return found


def pss_of(pid: int) -> int:
    """Return a process's proportional set size in bytes."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process and of its reaped children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICKS


def measure(root: int, seconds: float) -> Footprint:
    """Return what root and its descendants cost over `seconds`."""
    before = {pid: cpu_of(pid) for pid in descendants(root)}
    time.sleep(seconds)
    now = descendants(root)
    used = sum(max(cpu_of(pid) - before.get(pid, 0.0), 0.0) for pid in now)
    return Footprint(len(now), sum(map(pss_of, now)), 100 * used / seconds)


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"error: {what} not within {seconds:.0f} s")
        time.sleep(0.2)


def answers(client: httpx.Client, path: str) -> bool:
    """Whether a GET succeeds."""
    try:
        return client.get(path).is_success
    except httpx.HTTPError:
        return False


def latency(client: httpx.Client, token: Callable[[], str], rounds: int) -> float:
    """Return the median seconds from trigger to success of five tasks in sequence."""
    path = f"/api/v2/dags/{DAG_ID}"

    def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {token()}"}

    wait_for(lambda: client.get(path, headers=headers()).is_success, 120, f"DAG {DAG_ID}")
    client.patch(path, headers=headers(), json={"is_paused": False}).raise_for_status()
    seconds = []
    for _ in range(rounds + 1):
        started = time.monotonic()
        run = client.post(f"{path}/dagRuns", headers=headers(), json={"logical_date": None})
        run.raise_for_status()
        run_path = f"{path}/dagRuns/{run.json()['dag_run_id']}"
        while (state := client.get(run_path, headers=headers()).json()["state"]) != "success":
            if state == "failed":
                sys.exit("error: the bench DAG failed")
            time.sleep(0.05)
        seconds.append(time.monotonic() - started)
    client.delete(path, headers=headers())
    return statistics.median(seconds[1:])


def bench_appliance(seconds: float, rounds: int) -> tuple[Footprint, float]:
    """Measure the running appliance."""
    paths = Paths.from_environment()
    supervisor = int(paths.supervisor_lock.read_text().split()[0])
    footprint = measure(supervisor, seconds)
    tokens = TokenSource(read_secret(paths, Secret.AIRFLOW_JWT_SECRET))
    dag_file = SOURCE_ROOT / "dags" / f"{DAG_ID}.py"
    dag_file.write_text(DAG)
    try:
        with httpx.Client(base_url=service_url(paths, "airflow"), timeout=30) as client:
            return footprint, latency(client, tokens.token, rounds)
    finally:
        dag_file.unlink()


@contextmanager
def peers(folder: Path) -> Iterator[int]:
    """Run the defaults in a network namespace; yield the pid above all of them."""
    (folder / "dags").mkdir()
    (folder / "dags" / "bench.py").write_text(DAG)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "MLFLOW"))},
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    script = "ip link set lo up; airflow standalone & cd $AIRFLOW_HOME && exec mlflow server"
    with (folder / "peers.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", script],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        yield process.pid
    finally:
        for pid in descendants(os.getpid()) - {os.getpid()}:
            os.kill(pid, signal.SIGKILL)


def bench_peers(seconds: float, rounds: int) -> tuple[Footprint, float]:
    """Measure `airflow standalone` and `mlflow server` from inside their namespace."""
    folder = Path(tempfile.mkdtemp(prefix="footprint-"))
    try:
        with peers(folder) as root:
            inside = [
                "nsenter", "--target", str(root), "--net", sys.executable, __file__, "--inside",
                "--root", str(root), "--seconds", str(seconds), "--rounds", str(rounds),
            ]  # fmt: skip
            answer = subprocess.run(inside, check=False, capture_output=True, text=True)
            if answer.returncode:
                tail = (folder / "peers.log").read_text()[-2000:]
                sys.exit(f"error: peers: {answer.stderr}\n{tail}")
        processes, pss, cpu, five = json.loads(answer.stdout)
        return Footprint(processes, pss, cpu), five
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def inside_namespace(root: int, seconds: float, rounds: int) -> None:
    """Wait for both peers, measure them, print JSON."""
    airflow = httpx.Client(base_url="http://127.0.0.1:8080", timeout=60)
    with airflow, httpx.Client(base_url="http://127.0.0.1:5000", timeout=60) as mlflow:
        wait_for(lambda: answers(airflow, "/api/v2/monitor/health"), 180, "airflow standalone")
        wait_for(lambda: answers(mlflow, "/health"), 180, "mlflow server")
        time.sleep(15)
        footprint = measure(root, seconds)
        token = airflow.get("/auth/token").json()["access_token"]
        five = latency(airflow, lambda: token, rounds)
    print(json.dumps([footprint.processes, footprint.pss, footprint.cpu_percent, five]))


def main() -> None:
    """Measure and print both, and their ratios."""
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or ""))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside_namespace(options.root, options.seconds, options.rounds)
        return
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    ours, our_five = bench_appliance(options.seconds, options.rounds)
    rows = [("appliance", ours, our_five)]
    if not options.no_peer:
        rows.append(("defaults", *bench_peers(options.seconds, options.rounds)))
    print(f"{'':12} {'processes':>9} {'PSS MB':>8} {'CPU %':>7} {'5 tasks s':>10}")
    for name, cost, five in rows:
        print(
            f"{name:12} {cost.processes:9} {cost.pss / 1e6:8.0f} {cost.cpu_percent:7.1f} {five:10.2f}"
        )
    if len(rows) == 2:
        theirs, their_five = rows[1][1], rows[1][2]
        print(
            f"{'ratio':12} {ours.processes / theirs.processes:9.2f} {ours.pss / theirs.pss:8.2f} "
            f"{ours.cpu_percent / theirs.cpu_percent:7.2f} {our_five / their_five:10.2f}"
        )


if __name__ == "__main__":
    main()
