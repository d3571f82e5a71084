"""Secrets: from the environment or from 0600 files, never printed."""

from __future__ import annotations

import base64
import os
import secrets as random
import shlex
from collections.abc import Callable
from enum import StrEnum

from appliance.config.forms import has_control_characters
from appliance.config.paths import Paths, write_atomically
from appliance.config.private_folder import user_name
from appliance.config.reading import read_text
from appliance.errors import ConfigError


class Secret(StrEnum):
    """Every secret the appliance knows; file name, and `APPLIANCE_<NAME>` in the environment."""

    AIRFLOW_JWT_SECRET = "airflow_jwt_secret"  # noqa: S105
    AIRFLOW_FERNET_KEY = "airflow_fernet_key"
    AIRFLOW_API_SECRET_KEY = "airflow_api_secret_key"  # noqa: S105
    AIRFLOW_PASSWORD = "airflow_password"  # noqa: S105
    MLFLOW_PASSWORD = "mlflow_password"  # noqa: S105
    SIMULATOR_TOKEN = "simulator_token"  # noqa: S105
    SLACK_WEBHOOK_URL = "slack_webhook_url"
    SLACK_BOT_TOKEN = "slack_bot_token"  # noqa: S105
    S3_ACCESS_KEY_ID = "s3_access_key_id"
    S3_SECRET_ACCESS_KEY = "s3_secret_access_key"  # noqa: S105

    @property
    def environment_variable(self) -> str:
        """Name of the environment variable that overrides the file."""
        return f"APPLIANCE_{self.value.upper()}"


def read_secret(paths: Paths, secret: Secret) -> str:
    """Return a secret's value, "" when it is not set.

    Raises:
        ConfigError: the file is readable by others, another user's, or damaged.
    """
    from_environment = os.environ.get(secret.environment_variable)
    if from_environment:
        return from_environment
    path = paths.secrets / secret.value
    try:
        status = path.stat()
    except FileNotFoundError:
        return ""
    if status.st_mode & 0o077:
        raise ConfigError(
            f"{path} is readable by others (mode {status.st_mode & 0o777:o}, expected 600)",
            code="secret.permissions",
            hint=f"chmod 600 {shlex.quote(str(path))}",
        )
    if status.st_uid != os.geteuid():
        raise ConfigError(
            f"{path} belongs to {user_name(status.st_uid)}, expected {user_name(os.geteuid())}",
            code="secret.owner",
            hint=f"look at what it holds, then: sudo chown $(id -u) {shlex.quote(str(path))}",
        )
    value = read_text(path).strip()
    if has_control_characters(value):
        raise ConfigError(
            f"{path} is damaged: a secret is one line of text",
            code="secret.damaged",
            hint="write the secret into it again, or remove it",
        )
    return value


def require_secret(paths: Paths, secret: Secret) -> str:
    """Return the value of a secret that the appliance itself needs.

    Raises:
        ConfigError: it is not set, or its file is readable by others.
    """
    value = read_secret(paths, secret)
    if not value:
        raise ConfigError(
            f"the secret {secret.value} is missing in {paths.secrets}",
            code="secret.missing",
            hint="`appliance init` creates what is missing",
        )
    return value


def write_secret(paths: Paths, secret: Secret, value: str) -> None:
    """Store a secret in its 0600 file."""
    write_atomically(paths.secrets / secret.value, value + "\n", mode=0o600)


def generate_missing(paths: Paths) -> list[Secret]:
    """Create the secrets that the appliance itself needs; return those that were new."""
    generators: dict[Secret, Callable[[], str]] = {
        Secret.AIRFLOW_JWT_SECRET: lambda: random.token_hex(64),
        Secret.AIRFLOW_FERNET_KEY: lambda: base64.urlsafe_b64encode(
            random.token_bytes(32)
        ).decode(),
        Secret.AIRFLOW_API_SECRET_KEY: lambda: random.token_hex(32),
        Secret.AIRFLOW_PASSWORD: lambda: random.token_urlsafe(24),
        Secret.MLFLOW_PASSWORD: lambda: random.token_urlsafe(24),
        Secret.SIMULATOR_TOKEN: lambda: random.token_urlsafe(24),
    }
    created = []
    for secret, generate in generators.items():
        if not read_secret(paths, secret):
            write_secret(paths, secret, generate())
            created.append(secret)
    return created
