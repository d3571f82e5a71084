"""Who may speak to MLflow's server: an ASGI layer in front of its application.

A loopback port is open to every user of the machine, so each request, of whatever kind and to whatever
path, must bring this home's credentials. Only `/health` needs none.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from http import HTTPStatus

from appliance.config.local_pages import READING, Application, LocalPages, Message, Refusal, only
from appliance.registry.credentials import USER

_OPEN_PATH = "/health"
_UNKNOWN = Refusal(
    HTTPStatus.UNAUTHORIZED,
    f"User {USER}, password in secrets/mlflow_password of the appliance's home. "
    'In a shell: eval "$(appliance env)"',
    ((b"www-authenticate", b'Basic realm="MLflow of the appliance", charset="UTF-8"'),),
)


class Gate(LocalPages):
    """Lets an application see what this home's own clients and its operator's browser send.

    Args:
        application: what is protected.
        password: of the user `appliance`; accepted as bearer token as well.
    """

    def __init__(self, application: Application, password: str) -> None:
        super().__init__(application)
        self._pair = f"{USER}:{password}".encode()
        self._token = password.encode()

    def judge(self, scope: Message) -> Refusal | None:
        """Return why a request is refused, None when it is let through."""
        refusal = super().judge(scope)
        if refusal is not None:
            return refusal
        is_known = self._is_known(only(scope["headers"], b"authorization") or "")
        return None if is_known or _is_open(scope) else _UNKNOWN

    def _is_known(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        match scheme.lower():
            case "basic":
                given, expected = _decoded(value.strip()), self._pair
            case "bearer":
                given, expected = value.strip().encode("latin-1"), self._token
            case _:
                return False
        return hmac.compare_digest(given, expected)


def _is_open(scope: Message) -> bool:
    is_reading = scope["type"] == "http" and scope["method"] in READING
    return is_reading and scope["path"] == _OPEN_PATH


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.encode("latin-1"), validate=True)
    except binascii.Error:
        return b""
