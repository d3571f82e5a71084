"""Tokens for Airflow's API, minted from the secret that this home shares with its api-server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import uuid
from datetime import datetime

from appliance import clock

_LIFETIME_SECONDS = 300
_RENEW_BEFORE_SECONDS = 60


def mint(secret: str, now_at: datetime, *, subject: str = "appliance", role: str = "admin") -> str:
    """Return a JWT (HS512, 5 minutes) that Airflow's SimpleAuthManager accepts."""
    issued = int(now_at.timestamp())
    claims = {
        "jti": uuid.uuid4().hex,
        "aud": "apache-airflow",
        "iat": issued,
        "nbf": issued,
        "exp": issued + _LIFETIME_SECONDS,
        "sub": subject,
        "role": role,
    }
    signed = b".".join((_encoded({"alg": "HS512", "typ": "JWT"}), _encoded(claims)))
    signature = hmac.new(secret.encode(), signed, hashlib.sha512).digest()
    return (signed + b"." + _base64(signature)).decode()


class TokenSource:
    """A token that is renewed before it expires; safe to use from several threads."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    def token(self) -> str:
        """Return a token that is valid for at least another minute."""
        with self._lock:
            now_at = clock.now()
            if now_at.timestamp() >= self._renew_at:
                self._token = mint(self._secret, now_at)
                self._renew_at = now_at.timestamp() + _LIFETIME_SECONDS - _RENEW_BEFORE_SECONDS
            return self._token


def _encoded(part: dict[str, object]) -> bytes:
    return _base64(json.dumps(part).encode())


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
