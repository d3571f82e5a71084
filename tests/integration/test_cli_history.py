"""`appliance backfill` and `appliance coverage` on a real exchange and a real store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC

import httpx
import pytest

from appliance import zone
from appliance.cli.exit_code import ExitCode
from appliance.cli.main import run
from appliance.config.instance_lock import InstanceLock
from appliance.config.paths import SOURCE_ROOT, Paths
from store import Statement, open_store
from store.candles import read_candles
from tests.command_schemas import validate
from tests.simulator_fixtures import LIMITED, running_simulator
from tests.store_process import MINUTE, running_service
from tests.unit.test_cli import no_dashboard
from tests.waiting import wait_until

RANGE = ["--from", "2026-01-05T08:00:00Z", "--to", "2026-01-05T11:00:00Z"]


@pytest.fixture(autouse=True)
def _in_utc() -> None:
    zone.use(UTC)


@pytest.fixture
def url(home: Paths) -> Iterator[str]:
    """The address of the exchange that the home uses."""
    with running_simulator(LIMITED) as running:
        (home.compose / "appliance.toml").write_text(
            f'[source]\nkind = "upbit"\nrest_url = "{running}"\n'
        )
        yield running


def coverage(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run(["coverage", "--json", *arguments], no_dashboard) == ExitCode.DONE
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def requests(url: str) -> int:
    return int(httpx.get(f"{url}/sim").json()["requests"]["taken"])


def test_a_range_is_loaded_while_the_appliance_is_down(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backfill", "krw-btc", *RANGE], no_dashboard) == ExitCode.DONE
    told = capsys.readouterr()
    assert "180 of 180 intervals (100.0 %)" in told.err
    assert "180 new" in told.err
    assert told.out == ""
    (known,) = coverage(capsys, "KRW-BTC")
    assert (known["expected"], known["missing"], known["gaps"]) == (180, 0, [])
    assert run(["backfill", "KRW-BTC", *RANGE], no_dashboard) == ExitCode.DONE
    assert "nothing was missing" in capsys.readouterr().err


def test_a_backfill_tells_its_progress_and_result_in_lines_of_json(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for changed in (True, False):
        assert run(["backfill", "KRW-BTC", *RANGE, "--json"], no_dashboard) == ExitCode.DONE
        *progress, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
        for line in (*progress, last):
            validate("backfill", line)
        assert all(line["progress"]["wanted"] == 180 for line in progress)
        assert last["result"]["changed"] is changed
        assert last["result"]["unknown"] == []


def test_a_range_is_loaded_through_the_running_store(
    url: str, home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_service(home):
        assert run(["backfill", "KRW-DOGE", "--unit", "5", *RANGE], no_dashboard) == ExitCode.DONE
        (known,) = coverage(capsys, "--unit", "5")
        assert (known["market"], known["expected"]) == ("KRW-DOGE", 36)


def test_the_file_is_left_to_a_service_that_is_being_restarted(
    url: str, home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with InstanceLock(home):
        assert run(["backfill", "KRW-BTC", *RANGE], no_dashboard) == ExitCode.TRY_AGAIN
    assert "appliance status" in capsys.readouterr().err
    assert not home.store_file.exists()


def test_a_gap_that_stays_is_named_with_the_command_that_fills_it(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = ["--from", "2026-01-05T05:00", "--to", "2026-01-05T06:00"]
    run(["backfill", "KRW-BTC", *earlier], no_dashboard)
    capsys.readouterr()
    assert run(["backfill", "KRW-BTC", *RANGE], no_dashboard) == ExitCode.DONE
    assert "--from 2026-01-05T06:00Z --to 2026-01-05T08:00Z" in capsys.readouterr().err
    (known,) = coverage(capsys)
    assert known["missing"] == 120
    assert known["missing_share"] == pytest.approx(120 / 360)
    assert known["watermark_at"] == "2026-01-05T06:00:00+00:00"
    assert run(["coverage"], no_dashboard) == ExitCode.DONE
    table = capsys.readouterr().out
    assert "33.333 %" in table
    assert "GAP OF" in table


def test_an_empty_store_says_that_nothing_is_proven(
    url: str, home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage"], no_dashboard) == ExitCode.TRY_AGAIN
    with running_service(home):
        assert coverage(capsys) == []
        assert run(["coverage", "KRW-BTC"], no_dashboard) == ExitCode.DONE
        assert "nothing is proven yet of KRW-BTC" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["KRW-BTC"], ExitCode.USAGE),
        (["KRW-BTC", "--from", "soon"], ExitCode.USAGE),
        (["KRW-BTC", *RANGE, "--unit", "7"], ExitCode.USAGE),
        (["KRW-BTC", "--from", "2026-01-05", "--to", "2026-01-04"], ExitCode.USAGE),
        (["KRW-NOPE", *RANGE], ExitCode.USAGE),
    ],
)
def test_what_cannot_be_loaded_is_refused(url: str, arguments: list[str], code: ExitCode) -> None:
    assert run(["backfill", *arguments], no_dashboard) == code


def test_an_exchange_that_is_away_is_a_reason_to_try_again(home: Paths) -> None:
    (home.compose / "appliance.toml").write_text(
        '[source]\nkind = "upbit"\nrest_url = "http://127.0.0.1:9"\n'
    )
    assert run(["backfill", "KRW-BTC", *RANGE], no_dashboard) == ExitCode.TRY_AGAIN


def test_after_ctrl_c_the_same_command_resumes(
    url: str, home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["backfill", "KRW-BTC", "--from", "2026-01-02T00:00:00Z"]
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance", *command],
        cwd=SOURCE_ROOT,
        env={**os.environ, "APPLIANCE_HOME": str(home.home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: requests(url) >= 15, 30)  # in the second second: the first ten are stored
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "the same command resumes" in told
    assert "Traceback" not in told
    (known,) = coverage(capsys)
    kept, before = known["candles"], requests(url)
    assert isinstance(kept, int)
    assert 1000 <= kept < 4500
    assert run(command, no_dashboard) == ExitCode.DONE
    assert requests(url) - before <= (5040 - kept) / 200 + 6
    (known,) = coverage(capsys)
    assert (known["expected"], known["missing"]) == (5040, 0)


def test_a_range_before_the_history_is_extended_to_touch_it(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["backfill", "KRW-BTC", *RANGE], no_dashboard)
    capsys.readouterr()
    earlier = ["--from", "2026-01-05T05:00", "--to", "2026-01-05T06:00"]
    assert run(["backfill", "KRW-BTC", *earlier], no_dashboard) == ExitCode.DONE
    assert "extended to 2026-01-05 08:00 UTC" in capsys.readouterr().err
    (known,) = coverage(capsys)
    assert (known["expected"], known["missing"]) == (360, 0)
    assert known["watermark_at"] == "2026-01-05T11:00:00+00:00"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--from", "2026-01-05T12:00:00Z"], "no interval of the range has closed yet"),
        (["--from", "2011-01-01", "--to", "2011-01-02"], "nothing to load there"),
    ],
)
def test_a_range_with_nothing_to_load_is_said_to_be_one(
    url: str, capsys: pytest.CaptureFixture[str], given: list[str], words: str
) -> None:
    assert run(["backfill", "KRW-BTC", *given], no_dashboard) == ExitCode.FAILED
    assert words in capsys.readouterr().err


def test_an_audit_corrects_recovers_and_removes_and_the_ledger_keeps_that(
    url: str, home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["backfill", "KRW-BTC", *RANGE], no_dashboard)
    with open_store(home) as store:
        before = read_candles(store, "KRW-BTC", 1).to_pylist()
        at = [row["candle_date_time_utc"] for row in before]
        store.write(
            Statement("UPDATE candles SET close = 1 WHERE candle_date_time_utc = ?", (at[20],)),
            Statement("DELETE FROM candles WHERE candle_date_time_utc = ?", (at[40],)),
        )
    capsys.readouterr()
    assert run(["audit", "KRW-BTC", "--json"], no_dashboard) == ExitCode.DONE
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["checked"], told["corrected"], told["recovered"]) == (165, 1, 1)
    with open_store(home) as store:
        assert read_candles(store, "KRW-BTC", 1).to_pylist() == before
    (known,) = coverage(capsys)
    assert (known["repaired"], known["missing"]) == (2, 0)
    assert known["audited_at"]
    assert run(["audit", "KRW-BTC"], no_dashboard) == ExitCode.DONE
    assert "CORRECTED" in capsys.readouterr().out


def test_an_audit_says_what_the_exchange_knows_no_longer_and_compares_the_rest(
    url: str, home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with (home.compose / "appliance.toml").open("a") as file:
        file.write('[ingest]\nmarkets = ["KRW-GONE", "KRW-BTC"]\ntimeframes = [1]\n')
    run(["backfill", "KRW-BTC", *RANGE], no_dashboard)
    with open_store(home) as store:
        store.write(
            Statement(
                "INSERT INTO coverage BY NAME"
                " SELECT * REPLACE ('KRW-GONE' AS market) FROM coverage WHERE market = 'KRW-BTC'"
            )
        )
    capsys.readouterr()
    assert run(["audit", "--json"], no_dashboard) == ExitCode.DONE
    told = capsys.readouterr()
    assert [each["market"] for each in json.loads(told.out)] == ["KRW-BTC"]
    assert "KRW-GONE 1m cannot be judged" in told.err
    assert run(["audit", "KRW-GONE"], no_dashboard) == ExitCode.FAILED
    assert "delisted or renamed" in capsys.readouterr().err


def test_an_audit_removes_what_the_exchange_does_not_list(
    url: str, home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["backfill", "KRW-ICX", *RANGE], no_dashboard)
    with open_store(home) as store:
        before = read_candles(store, "KRW-ICX", 1).to_pylist()
        taken = {row["candle_date_time_utc"] for row in before}
        start = min(taken)
        quiet = next(start + i * MINUTE for i in range(160) if start + i * MINUTE not in taken)
        store.write(
            Statement(
                "INSERT INTO candles SELECT market, unit, ?, open, high, low, close, volume, value, 0"
                " FROM candles WHERE candle_date_time_utc = ?",
                (quiet, start),
            )
        )
    capsys.readouterr()
    assert run(["audit", "KRW-ICX", "--json"], no_dashboard) == ExitCode.DONE
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["corrected"], told["recovered"], told["removed"]) == (0, 0, 1)
    with open_store(home) as store:
        assert read_candles(store, "KRW-ICX", 1).to_pylist() == before
