"""`appliance doctor`: is this machine, this home and the running appliance in order?"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json
from appliance.config.paths import Paths
from appliance.errors import ApplianceError

NEEDED_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing; `hint` is the next step where it is not in order."""

    check: str
    is_ok: bool
    message: str
    hint: str = ""


@click.command("doctor")
@session.json_option
def doctor_command(as_json: bool) -> int:
    """Check machine, configuration and services; exit 4 when something is not in order."""
    findings = list(_examine(session.paths()))
    if as_json:
        emit_json(findings)
    else:
        for finding in findings:
            emit(f"{'ok  ' if finding.is_ok else 'FAIL'}  {finding.check:14} {finding.message}")
            if finding.hint and not finding.is_ok:
                emit(f"      {'':14} next: {finding.hint}")
    return ExitCode.DONE if all(f.is_ok for f in findings) else ExitCode.UNHEALTHY


def _examine(home: Paths) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")
    yield _disk(home)
    yield _guarded("configuration", _configuration)
    yield _guarded("secrets", _secrets)
    yield _permissions(home)
    yield _guarded("source", session.source_label)
    yield _guarded("way out", _way_out)
    yield _postgres_user()
    yield from _running()


def _guarded(check: str, examine: Callable[[], str]) -> Finding:
    try:
        return Finding(check, True, examine())
    except ApplianceError as error:
        return Finding(check, False, error.message, error.hint)


def _disk(home: Paths) -> Finding:
    folder = home.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding(
        "disk", free >= NEEDED_BYTES, f"{free / 1e9:.1f} GB free at {folder}", "free at least 1 GB"
    )


def _configuration() -> str:
    from appliance.cli.configuration_check import require_valid

    settings = require_valid(session.paths())
    enabled = [name for name, section in settings.projects.items() if section.enabled]
    return f"valid; projects: {', '.join(enabled) or 'none'}"


def _secrets() -> str:
    from appliance.config.secret import Secret, read_secret

    missing = [s.value for s in Secret if not read_secret(session.paths(), s)]
    return f"readable by you only; not set: {', '.join(missing) or 'none'}"


def _way_out() -> str:
    """Say how the exchange is reached, and whose certificates count; raises when a variable is wrong."""
    from appliance.config import outbound
    from appliance.config.certificates import chosen_certificates
    from appliance.config.proxy import proxy_for

    source = session.settings().source
    outbound.check(source.rest_url, source.websocket_url)
    proxy, certificates = proxy_for(source.rest_url), chosen_certificates()
    way = "directly" if proxy is None else f"through {proxy}"
    trusted = "" if certificates is None else f", certificates of {' '.join(certificates)}"
    return f"{source.rest_url} {way}{trusted}"


def _permissions(home: Paths) -> Finding:
    if not home.home.exists():
        return Finding("home", False, f"{home.home} does not exist", "./install.sh or appliance up")
    mode = stat.S_IMODE(home.home.stat().st_mode)
    return Finding(
        "home",
        mode & 0o077 == 0,
        f"{home.home}, mode {mode:o}",
        f"chmod 700 {shlex.quote(str(home.home))}",
    )


def _postgres_user() -> Finding:
    if os.geteuid() != 0 or session.settings().airflow.database_url:
        return Finding("postgresql", True, "runs as you")
    try:
        subprocess.run(
            ["unshare", "-U", "--map-user=1000", "--map-group=1000", "true"],
            check=True,
            capture_output=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return Finding(
            "postgresql",
            False,
            "root cannot run it here: user namespaces are not allowed",
            "run the appliance as another user, or set airflow.database_url",
        )
    return Finding("postgresql", True, "runs in a user namespace, since you are root")


def _running() -> Iterator[Finding]:
    if not session.is_running():
        yield Finding("appliance", False, "not running", "appliance up")
        return
    status = session.control().status()
    if not status.services:
        yield Finding("services", False, "cannot be judged: none is known yet", "try again soon")
    for part, reason in (status.stale or {}).items():
        yield Finding(part, False, f"cannot be judged: {reason}", "appliance status shows its age")
    for service in status.services:
        yield Finding(
            service.name,
            service.is_ready,
            f"{service.observed}: {service.reason}",
            f"appliance logs {service.name}; then appliance restart {service.name}",
        )
    for problem in status.problems:
        yield Finding(problem.code, False, problem.message, problem.hint)
