"""Slack's incoming webhook and `chat.postMessage`."""

from __future__ import annotations

from tests.stubs.http_server import HttpStub, Reply, Request


class SlackStub(HttpStub):
    """Takes messages at `/webhook` and `/api/chat.postMessage`."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/webhook/T000/B000/very-secret"

    def answer(self, request: Request) -> Reply:
        self.messages.append(request.body["text"])
        if request.path.startswith("/webhook"):
            return Reply(body="ok")
        return Reply(body={"ok": True, "channel": request.body["channel"], "ts": "1.2"})
