"""install.sh, with stand-ins for uv and for the command that it would install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.paths import SOURCE_ROOT, Paths
from tests.waiting import wait_until

PYTHON = f"""#!/bin/sh
[ "$5" = appliance ] || exec {sys.executable} "$@"
shift 5
echo "$@" >> "$(dirname "$0")/calls"
[ "$1" = init ] && mkdir -p "$APPLIANCE_HOME/secrets"
exit 0
"""
"""The environment's interpreter, which is told `-I -X utf8 -m appliance` by the linked command."""
UV = """#!/bin/sh
[ "$1" = --version ] && echo "uv 99.0.0" && exit 0
echo "$@" >> "{calls}"
mkdir -p "{checkout}/.venv/bin"
cp "{stub}" "{checkout}/.venv/bin/python"
touch "{checkout}/.venv/bin/appliance"
chmod +x "{checkout}/.venv/bin/appliance"
"""
BROKEN_UV = """#!/bin/sh
[ "$1" = --version ] && echo "uv 99.0.0" && exit 0
echo "could not resolve host: registry" >&2
exit 2
"""
HOLDER = """
import fcntl, pathlib, sys, time
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    calls = pathlib.Path(sys.argv[2])
    while not (calls.exists() and "down" in calls.read_text().split()):
        time.sleep(0.02)
"""


class Machine:
    """A checkout, an empty home folder and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.user_home = folder / "user"
        self.programs = folder / "programs"
        self.links = folder / "links"
        for directory in (self.checkout, self.user_home, self.programs):
            directory.mkdir()
        shutil.copy(SOURCE_ROOT / "install.sh", self.checkout)
        (self.checkout / "appliance").symlink_to(SOURCE_ROOT / "appliance")
        shutil.copytree(SOURCE_ROOT / "scripts", self.checkout / "scripts")
        self.stub = self.add_program("stub", PYTHON)
        self.uv_calls = folder / "uv-calls"
        self.add_program(
            "uv", UV.format(calls=self.uv_calls, checkout=self.checkout, stub=self.stub)
        )
        self.add_program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    @property
    def state(self) -> Paths:
        return Paths(self.user_home / ".local/share/appliance")

    @property
    def calls_file(self) -> Path:
        return self.checkout / ".venv/bin/calls"

    def add_program(self, name: str, text: str) -> Path:
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, *arguments: str, **shell: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.checkout / "install.sh"), *arguments],
            env={
                **shell,
                "HOME": str(self.user_home),
                "PATH": f"{self.programs}:/usr/bin:/bin",
                "APPLIANCE_BIN_DIR": str(self.links),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_help_is_shown(machine: Machine) -> None:
    done = machine.run("--help")
    assert done.returncode == 0
    for flag in ("--no-start", "--demo", "--systemd", "--uninstall", "--yes", "--open"):
        assert flag in done.stdout


def test_an_unknown_flag_is_a_usage_error(machine: Machine) -> None:
    done = machine.run("--fast")
    assert done.returncode == 2
    assert "unknown option --fast" in done.stderr


def test_install_syncs_links_initialises_and_starts(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "sync --frozen --inexact --compile-bytecode --no-dev" in machine.uv_calls.read_text()
    assert machine.calls() == ["init", "up"]
    assert (machine.links / "appliance").readlink() == machine.checkout / "scripts/appliance"
    assert "next:  appliance" in done.stderr
    assert machine.state.home.stat().st_mode & 0o777 == 0o700
    assert (machine.state.logs / "install.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "home", ["a b", "한글", "'\"&#%;+[x]{y},$", "-dash", "dot.", "a:b", "h" * 200]
)
def test_an_odd_home_is_installed_as_any_other(machine: Machine, home: str) -> None:
    odd = Paths(machine.user_home / home)
    done = machine.run(APPLIANCE_HOME=str(odd.home))
    assert done.returncode == 0, done.stderr
    assert odd.secrets.is_dir()
    told = next(line for line in done.stderr.splitlines() if "export APPLIANCE_HOME=" in line)
    shown = told.partition("export ")[2].partition("   in each shell")[0]
    code = f'{shown}; printf %s "$APPLIANCE_HOME"'
    assert subprocess.check_output(["bash", "-c", code]).decode() == str(odd.home)
    assert machine.run("--uninstall", "--yes", APPLIANCE_HOME=str(odd.home)).returncode == 0
    assert not odd.home.exists()
    assert not odd.sockets.exists()


def test_an_impossible_home_is_refused_before_anything_is_made(machine: Machine) -> None:
    done = machine.run(APPLIANCE_HOME=str(machine.user_home / "a?b"))
    assert done.returncode == 2
    assert "question mark" in done.stderr
    assert list(machine.user_home.iterdir()) == []


def test_what_the_shell_says_about_interpreters_does_not_matter(machine: Machine) -> None:
    broken = (
        "PYTHONHOME",
        "PYTHONPATH",
        "LD_PRELOAD",
        "LC_ALL",
        "CDPATH",
        "VIRTUAL_ENV",
        "PIP_USER",
    )
    done = machine.run(**dict.fromkeys(broken, "/nowhere"), PYTHONHASHSEED="garbage")
    assert done.returncode == 0, done.stderr
    assert machine.calls() == ["init", "up"]


def test_a_link_of_an_earlier_version_is_replaced_without_a_word(machine: Machine) -> None:
    machine.links.mkdir()
    (machine.links / "appliance").symlink_to(machine.checkout / ".venv/bin/appliance")
    assert "pointed to" not in machine.run("--no-start").stderr
    assert (machine.links / "appliance").readlink() == machine.checkout / "scripts/appliance"


def test_no_start_and_demo(machine: Machine) -> None:
    done = machine.run("--no-start", "--demo")
    assert done.returncode == 0, done.stderr
    assert machine.calls() == ["init --demo"]
    assert "appliance up" in done.stderr


def test_a_folder_outside_the_path_is_warned_about(machine: Machine) -> None:
    assert f"{machine.links} is not on your PATH" in machine.run().stderr


def test_a_failing_download_says_what_to_do(machine: Machine) -> None:
    machine.add_program("uv", BROKEN_UV)
    done = machine.run()
    assert done.returncode == 1
    assert "could not resolve host" in done.stderr
    assert "next:  check network and disk" in done.stderr


def test_a_step_that_fails_unexpectedly_is_named(machine: Machine) -> None:
    machine.stub.write_text("#!/bin/sh\nexit 9\n")
    done = machine.run("--no-start")
    assert done.returncode == 1
    assert "failed while creating" in done.stderr
    assert "next:" in done.stderr


def test_a_missing_python_says_which_package_to_install(machine: Machine) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python"):
        machine.add_program(name, "#!/bin/sh\nexit 1\n")
    done = machine.run()
    assert done.returncode == 1
    assert "apt-get install python3.11" in done.stderr


def test_a_full_disk_is_refused_before_anything_is_written(machine: Machine) -> None:
    machine.add_program("df", "#!/bin/sh\nprintf 'head\\nx 9 9 120 1%% /\\n'\n")
    done = machine.run()
    assert done.returncode == 1
    assert "120 MB free, 3000 MB are needed" in done.stderr
    assert not machine.state.home.exists()


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd runs this machine")
def test_systemd_is_refused_where_it_does_not_run(machine: Machine) -> None:
    done = machine.run("--systemd")
    assert done.returncode == 1
    assert "systemd does not run this machine" in done.stderr
    assert not machine.state.home.exists()


@pytest.fixture(
    params=["supervisor.lock", "run/supervisor.lock"], ids=["own", "of an earlier version"]
)
def running(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """An installed machine whose supervisor lock is held until `appliance down`."""
    assert machine.run("--no-start").returncode == 0
    machine.calls_file.unlink()
    lock = machine.state.home / request.param
    lock.parent.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock), str(machine.calls_file)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield machine
        holder.kill()


def test_an_upgrade_stops_syncs_and_starts_and_keeps_state(running: Machine) -> None:
    (running.state.mlflow / "mlflow.db").write_text("precious")
    done = running.run()
    assert done.returncode == 0, done.stderr
    assert running.calls() == ["down", "init", "up"]
    assert (running.state.mlflow / "mlflow.db").read_text() == "precious"


def test_manual_and_completion_come_and_go_with_the_command(machine: Machine) -> None:
    machine.links = machine.user_home / "prefix/bin"
    share = machine.user_home / "prefix/share"
    machine.add_program("stub", PYTHON.replace("exit 0", 'echo "APPLIANCE $*"'))
    foreign = share / "zsh/site-functions/_appliance"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("somebody's own")
    done = machine.run("--no-start")
    assert done.returncode == 0, done.stderr
    made = {path.relative_to(share).as_posix() for path in share.rglob("*") if path.is_file()}
    kept = "zsh/site-functions/_appliance"
    ours = {
        "man/man1/appliance.1",
        "bash-completion/completions/appliance",
        "fish/vendor_completions.d/appliance.fish",
    }
    assert made == {*ours, kept}
    assert f"{foreign} is not of this installer" in done.stderr
    assert machine.run("--uninstall", "--yes").returncode == 0
    assert [path for path in share.rglob("*") if path.is_file()] == [foreign]


def test_uninstall_keeps_state_unless_told_otherwise(machine: Machine) -> None:
    machine.run("--no-start")
    done = machine.run("--uninstall")
    assert done.returncode == 0, done.stderr
    assert not os.path.lexists(machine.links / "appliance")
    assert machine.state.secrets.exists()
    assert "--uninstall --yes deletes it" in done.stderr
    assert machine.run("--uninstall", "--yes").returncode == 0
    assert not machine.state.home.exists()


def test_uninstall_stops_a_running_appliance_first(running: Machine) -> None:
    done = running.run("--uninstall", "--yes")
    assert done.returncode == 0, done.stderr
    assert running.calls() == ["down"]
    wait_until(lambda: not running.state.home.exists())


def test_uninstall_never_deletes_a_folder_that_is_no_home(machine: Machine) -> None:
    machine.state.home.mkdir(parents=True)
    (machine.state.home / "thesis.txt").write_text("precious")
    done = machine.run("--uninstall", "--yes")
    assert "does not look like" in done.stderr
    assert (machine.state.home / "thesis.txt").exists()
