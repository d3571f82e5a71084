"""Whose certificates we trust when we leave this machine."""

from __future__ import annotations

import ssl
from pathlib import Path

from appliance.config.environment import shell_variable
from appliance.errors import ConfigError

_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def chosen_certificates() -> tuple[str, str] | None:
    """Return the variable of the user's shell that names certificates, and its value; None when unset."""
    for variable in _VARIABLES:
        if value := shell_variable(variable):
            return variable, value
    return None


def ssl_context() -> ssl.SSLContext:
    """Return the certificates to trust: those that are set, else the system's and Mozilla's.

    Raises:
        ConfigError: the file or folder that is set cannot be used.
    """
    if chosen := chosen_certificates():
        return _trusting(*chosen)
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _trusting(variable: str, value: str) -> ssl.SSLContext:
    path = Path(value)
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        reason = error.strerror if error.errno and not isinstance(error, ssl.SSLError) else ""
        raise ConfigError(
            f"{variable} is {value!r}: {reason or 'no certificate in PEM form'}, "
            "expected a file of certificates",
            code="outbound.certificates",
            hint=f"correct or unset {variable}, then try again",
        ) from None
