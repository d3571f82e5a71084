"""Secrets are generated once, kept private, and overridable by the environment."""

from __future__ import annotations

import os
import stat

import pytest

from appliance.config.paths import Paths
from appliance.config.secret import Secret, generate_missing, read_secret, write_secret
from appliance.errors import ConfigError


def test_secrets_are_generated_once_and_private(home: Paths) -> None:
    created = generate_missing(home)
    values = {secret: read_secret(home, secret) for secret in created}
    assert Secret.AIRFLOW_JWT_SECRET in created
    assert len(values[Secret.AIRFLOW_JWT_SECRET]) >= 64
    assert generate_missing(home) == []
    assert values == {secret: read_secret(home, secret) for secret in created}
    for secret in created:
        assert stat.S_IMODE((home.secrets / secret.value).stat().st_mode) == 0o600


def test_the_environment_wins(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write_secret(home, Secret.SLACK_BOT_TOKEN, "from-file")
    monkeypatch.setenv("APPLIANCE_SLACK_BOT_TOKEN", "from-environment")
    assert read_secret(home, Secret.SLACK_BOT_TOKEN) == "from-environment"


def test_a_secret_that_others_can_read_is_refused_without_showing_it(home: Paths) -> None:
    write_secret(home, Secret.SLACK_BOT_TOKEN, "hush")
    (home.secrets / "slack_bot_token").chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        read_secret(home, Secret.SLACK_BOT_TOKEN)
    assert "hush" not in str(caught.value)
    assert "chmod 600" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_secret_of_another_user_is_refused(home: Paths) -> None:
    write_secret(home, Secret.SLACK_BOT_TOKEN, "xoxb-hush")
    os.chown(home.secrets / "slack_bot_token", 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to"):
        read_secret(home, Secret.SLACK_BOT_TOKEN)
