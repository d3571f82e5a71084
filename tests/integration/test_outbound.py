"""What really goes out takes the proxies and certificates of the shell, and says what is wrong with them."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.alerts.slack import BotSender
from appliance.config import outbound
from appliance.config.environment import CARRIED, OUTBOUND
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.proxy import masked, proxy_for
from appliance.config.settings import Settings
from appliance.errors import AlertDeliveryError, ConfigError, ExchangeUnavailable
from appliance.exchange.port import StreamState, StreamStatus
from appliance.exchange.source import source_kind
from appliance.upbit.client import open_client
from appliance.upbit.websocket import CandleStream
from tests.simulator_fixtures import running_simulator
from tests.stubs.http_server import HttpStub, Reply, Request
from tests.stubs.proxy import ProxyStub
from tests.stubs.slack import SlackStub
from tests.stubs.tls import Authority

EXCHANGE = "https://exchange.test"
NOBODY = "127.0.0.1:9"
MARKETS = [{"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin"}]


@pytest.fixture(autouse=True)
def _no_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OUTBOUND:
        monkeypatch.delenv(name, raising=False)


class Exchange(HttpStub):
    """Answers like the exchange, over TLS when it has a context."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def answer(self, request: Request) -> Reply:
        return Reply(body=MARKETS)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def exchange(authority: Authority) -> Iterator[Exchange]:
    with Exchange(authority.server_context("exchange.test")) as stub:
        yield stub


def auto(url: str) -> Settings:
    return Settings.model_validate({"source": {"kind": "auto", "rest_url": url}})


@pytest.mark.parametrize("scheme", ["http://", "socks5://", "socks5h://", "socks://", ""])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_rest_goes_through_the_proxy_with_the_certificates_that_are_set(
    exchange: Exchange,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    variable: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with ProxyStub(exchange.port, login="me:p%40ss" if not scheme else "") as proxy:
        login = "me:p%2540ss@" if not scheme else ""
        monkeypatch.setenv(CARRIED + variable, f"{scheme}{login}{proxy.address}")
        with open_client(EXCHANGE) as client:
            assert client.markets() == ["KRW-BTC"]
        assert proxy.asked == ["exchange.test:443"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_the_stream_goes_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with running_simulator() as url, ProxyStub(int(url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{proxy.address}")
        stream = CandleStream("ws://exchange.test/websocket/v1", ("KRW-BTC",), (1,))
        async for live in stream.candles():
            assert live.candle.market == "KRW-BTC"
            break
        assert proxy.asked == ["exchange.test:80"]


def test_slack_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with SlackStub() as slack, ProxyStub(slack.port) as proxy:
        monkeypatch.setenv(CARRIED + "HTTP_PROXY", f"http://{proxy.address}")
        BotSender("xoxb-secret", "#ops", "http://slack.test/api").send("hello")
        assert slack.messages == ["hello"]
        assert proxy.asked == ["slack.test:80"]


def test_slack_says_that_it_knows_no_socks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CARRIED + "ALL_PROXY", f"socks5://{NOBODY}")
    with pytest.raises(AlertDeliveryError, match=r"socks.*ALL_PROXY.*HTTP proxies only"):
        BotSender("xoxb-secret", "#ops", "http://slack.test/api").send("hello")


def test_s3_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    with Exchange() as s3, ProxyStub(s3.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        for name, value in outbound.boto_environment("http://s3.test").items():
            monkeypatch.setenv(name, value)
        client = boto3.client(
            "s3",
            endpoint_url="http://s3.test",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="eu-west-1",
        )
        client.get_object(Bucket="models", Key="model")
        assert proxy.asked[0].endswith("s3.test:80")


def test_s3_says_that_it_knows_no_socks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.test")
    with pytest.raises(ConfigError, match="ALL_PROXY"):
        outbound.boto_environment("https://s3.test")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "http//proxy:3128"),
        ("https_proxy", "ftp://me:hush@proxy:21"),
        ("ALL_PROXY", "socks4://proxy:1080"),
        ("HTTPS_PROXY", "http://proxy:99999"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", "http://[::1"),
        ("HTTPS_PROXY", "me:hush@"),
        ("SSL_CERT_FILE", "/nowhere/certificates.pem"),
        ("SSL_CERT_FILE", __file__),
        ("REQUESTS_CA_BUNDLE", "/nowhere/certificates.pem"),
        ("CURL_CA_BUNDLE", "/nowhere/certificates.pem"),
        ("SSL_CERT_DIR", "/nowhere"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_nothing_is_chosen(
    home: Paths, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        source_kind(auto(EXCHANGE), home)
    assert variable in raised.value.message
    assert masked(value) in raised.value.message
    assert "hush" not in raised.value.message + raised.value.hint
    assert not (home.home / "source.json").exists()


def test_a_proxy_in_the_way_is_no_exchange_that_does_not_answer(
    home: Paths, exchange: Exchange, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (f"http://me:hush@{NOBODY}", f"socks5://{NOBODY}", "http://proxy.invalid:3128"):
        monkeypatch.setenv("HTTPS_PROXY", value)
        with pytest.raises(ConfigError, match="HTTPS_PROXY") as raised:
            source_kind(auto(EXCHANGE), home)
        assert "hush" not in raised.value.message
    with ProxyStub(exchange.port, login="me:right") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:wrong@{proxy.address}")
        with pytest.raises(ConfigError, match="407"):
            source_kind(auto(EXCHANGE), home)
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:right@{proxy.address}")
        with pytest.raises(ConfigError, match="certificate is not trusted"):
            source_kind(auto(EXCHANGE), home)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        assert source_kind(auto(EXCHANGE), home) == "upbit"


def test_the_first_start_ends_with_2_and_the_next_one_works(home: Paths) -> None:
    command = [SOURCE_ROOT / "scripts/appliance", "init"]
    shell = os.environ | {"APPLIANCE__SOURCE__REST_URL": EXCHANGE}
    broken = shell | {"HTTPS_PROXY": f"http://{NOBODY}"}
    done = subprocess.run(command, env=broken, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "(HTTPS_PROXY)" in done.stderr
    done = subprocess.run(command, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "SIMULATOR" in done.stdout


@pytest.mark.parametrize("action", [("up",), ("run", "data")], ids=" ".join)
def test_a_command_says_in_one_sentence_what_is_wrong(home: Paths, action: tuple[str, ...]) -> None:
    broken = {"HTTPS_PROXY": "http//me:hush@proxy:3128", "APPLIANCE__SOURCE__KIND": "upbit"}
    done = subprocess.run(
        [SOURCE_ROOT / "scripts/appliance", *action],
        env=os.environ | broken,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "error: HTTPS_PROXY is '***@proxy:3128', expected the URL of a proxy" in done.stderr
    assert "hush" not in done.stderr + done.stdout


def test_a_running_client_says_which_proxy_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://{NOBODY}")
    with open_client(EXCHANGE) as client, pytest.raises(ExchangeUnavailable, match="ALL_PROXY"):
        client.markets()
    with pytest.raises(AlertDeliveryError, match="ALL_PROXY"):
        BotSender("xoxb-secret", "#ops", "http://slack.test/api").send("hello")


async def test_the_stream_says_which_proxy_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://{NOBODY}")
    statuses: list[StreamStatus] = []

    class Told(Exception):
        pass

    def tell(status: StreamStatus) -> None:
        statuses.append(status)
        raise Told

    with pytest.raises(Told):
        async for _ in CandleStream(
            "wss://exchange.test/websocket/v1", ("A",), (1,), tell
        ).candles():
            pass
    assert statuses[0].state is StreamState.DISCONNECTED
    assert "ALL_PROXY" in statuses[0].message


def test_loopback_never_goes_through_a_proxy(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CARRIED + "ALL_PROXY", f"http://{NOBODY}")
    with running_simulator() as url:
        assert source_kind(auto(url), home) == "upbit"
    for url in ("http://localhost:1", "http://[::1]:1", "http://127.9.9.9", "ws://a.localhost"):
        assert proxy_for(url) is None


@pytest.mark.parametrize(
    ("exceptions", "is_direct"),
    [
        ("*", True),
        ("exchange.test", True),
        ("test", True),
        (".test", True),
        ("*.test", True),
        ("a.example, exchange.test:443", True),
        ("exchange.test:80", False),
        ("change.test", False),
        ("10.0.0.0/8", False),
        (",", False),
    ],
)
def test_no_proxy_excepts_names_domains_and_ports(
    monkeypatch: pytest.MonkeyPatch, exceptions: str, is_direct: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)
    assert (proxy_for(EXCHANGE) is None) == is_direct


def test_no_proxy_excepts_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8 fd00::/8")
    assert proxy_for("http://10.1.2.3") is None
    assert proxy_for("http://[fd00::1]:9000") is None
    assert proxy_for("http://11.1.2.3") is not None


def test_an_exchange_that_has_had_enough_of_us_answers(home: Paths) -> None:
    with Exchange() as stub:
        stub.failures = [Reply(429, "Too many API requests.")]
        assert source_kind(auto(stub.url), home) == "upbit"


def test_without_a_proxy_a_client_connects_itself() -> None:
    with Exchange() as stub, outbound.http_client(stub.url, httpx.Timeout(5.0)) as client:
        assert client.get("/").json() == MARKETS
