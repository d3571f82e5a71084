"""The recording's format: changes of JSON, sections of checksummed frames, what is kept of them."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.control.recording.delta import changed, difference
from appliance.control.recording.folder import (
    SUFFIX,
    Limits,
    SectionFile,
    began_at,
    instant,
    milliseconds,
    prune,
    recorded_files,
)
from appliance.control.recording.secrets import Blotter
from appliance.control.recording.segment import (
    FORMAT,
    MAGIC,
    Encoder,
    Record,
    read_records,
    sections,
)
from appliance.control.recording.writer import SECTION_SECONDS, RecordingWriter
from appliance.errors import ConfigError

START = datetime(2026, 1, 5, 2, 13, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=25,
)


@given(JSON, JSON)
@example([False], [0])
@example([1], ["1"])
@example({"a": [True]}, {"a": [1]})
def test_a_change_makes_the_new_value_of_the_old_one(old: Any, new: Any) -> None:
    change = difference(old, new)
    if change is None:
        assert json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    else:
        made = changed(old, json.loads(json.dumps(change)))
        assert json.dumps(made, sort_keys=True) == json.dumps(new, sort_keys=True)


def test_a_window_that_slides_costs_its_new_row_only() -> None:
    rows = [f"row {number}" for number in range(240)]
    change = difference(rows, [*rows[1:], "row 240"])
    assert change == {"l": [[1, 240], {"+": ["row 240"]}]}


def test_one_member_of_many_costs_itself_only() -> None:
    services = [{"name": f"s{n}", "observed": "ready", "pid": n} for n in range(10)]
    later = [dict(each) for each in services]
    later[3]["observed"] = "backing-off"
    change = difference({"services": services}, {"services": later})
    assert change is not None
    assert len(json.dumps(change)) < 120


@pytest.mark.parametrize("change", [{}, {"l": [[0, 1], {"?": 1}]}, {"o": 3}, {"l": 7}])
def test_a_change_that_does_not_fit_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        changed({"a": 1}, change)


def batch(first: int, count: int = 3) -> list[Record]:
    return [Record(n, "status", {"=": {"r": n}}) for n in range(first, first + count)]


def section_of(*batches: list[Record], is_whole: bool = True) -> bytes:
    encoder = Encoder()
    frames = [encoder.head(1000, {"version": "1"}), *map(encoder.frame, batches)]
    return b"".join([*frames, encoder.tail()] if is_whole else frames)


def read(content: bytes) -> list[Record]:
    return [r for section in sections(content) for r in read_records(content, section)]


def test_what_is_written_is_read_and_files_may_be_joined() -> None:
    content = section_of(batch(1000), batch(2000)) + section_of(batch(3000))
    assert read(content) == [*batch(1000), *batch(2000), *batch(3000)]
    first, second = sections(content)
    assert (first.begins_at, first.ends_at, second.ends_at) == (1000, 2002, 3002)
    assert first.is_whole
    assert first.damaged_bytes == 0
    assert first.about["version"] == "1"


@pytest.mark.parametrize("lost", [1, 5, 8, 9, 12, 40])
def test_a_torn_tail_is_passed_over(lost: int) -> None:
    content = section_of(batch(1000), batch(2000), is_whole=False)
    torn = content[:-lost]
    assert read(torn) == batch(1000)
    (section,) = sections(torn)
    assert not section.is_whole
    assert read(torn + section_of(batch(3000))) == [*batch(1000), *batch(3000)]


def test_every_cut_and_every_flipped_byte_leaves_a_readable_rest() -> None:
    content, after = section_of(batch(1000), batch(2000)), section_of(batch(3000))
    everything = [*batch(1000), *batch(2000), *batch(3000)]
    for place in range(len(content)):
        cut = read(content[:place] + after)
        assert cut[-3:] == batch(3000)
        flipped = bytearray(content + after)
        flipped[place] ^= 0x55
        found = read(bytes(flipped))
        assert found[-3:] == batch(3000)
        assert all(record in everything for record in found)


def test_a_later_format_is_refused_with_the_version_that_reads_it() -> None:
    content = section_of(batch(1000))
    later = json.dumps({"format": FORMAT + 1, "version": "9.9", "begins_at": 1}).encode()
    with pytest.raises(ConfigError, match=f"format {FORMAT + 1}") as caught:
        list(sections(_head(later) + content))
    assert "9.9" in caught.value.hint


def _head(text: bytes) -> bytes:
    import struct
    import zlib

    whole = MAGIC + text
    return struct.pack(">cII", b"H", len(whole), zlib.crc32(whole)) + whole


def test_frames_of_unknown_kinds_are_passed_over() -> None:
    encoder = Encoder()
    head, first = encoder.head(1000, {}), encoder.frame(batch(1000))
    unknown = b"Z" + _head(b"")[1:]
    assert read(head + unknown + first + encoder.tail()) == batch(1000)


def no_secrets(text: str) -> str:
    return text


def writer(folder: Path, limits: Limits | None = None) -> RecordingWriter:
    return RecordingWriter(folder, limits or Limits(), no_secrets, {"version": "1"})


def put(target: RecordingWriter, number: int, at: datetime) -> None:
    target.put("events", json.dumps({"r": [str(number)]}), at)


def test_a_section_begins_with_the_whole_state_and_ends_in_good_order(tmp_path: Path) -> None:
    target = writer(tmp_path / "recording")
    put(target, 1, START)
    target.flush(START)
    put(target, 2, START + timedelta(seconds=1))
    later = START + timedelta(seconds=SECTION_SECONDS + 2)
    target.flush(later)
    put(target, 3, later)
    target.close()
    first, second = recorded_files(tmp_path / "recording")
    assert [instant(began_at(file)) for file in (first, second)] == [START, later]
    assert [record.change for record in read(first.read_bytes())] == [
        {"=": {"r": ["1"]}},
        {"o": {"r": {"l": [{"+": ["2"]}]}}},
    ]
    assert read(second.read_bytes())[0].change == {"=": {"r": ["2"]}}
    assert all(next(sections(f.read_bytes())).is_whole for f in (first, second))
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


def test_a_recording_that_goes_on_says_so_while_nothing_changes(tmp_path: Path) -> None:
    target = writer(tmp_path)
    put(target, 1, START)
    for second in range(0, 31, 2):
        target.flush(START + timedelta(seconds=second))
    (section,) = sections(recorded_files(tmp_path)[0].read_bytes())
    assert section.ends_at >= milliseconds(START + timedelta(seconds=30))


def test_a_full_disk_gives_the_section_up_and_the_next_one_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = writer(tmp_path)
    put(target, 1, START)
    target.flush(START)
    put(target, 2, START + timedelta(seconds=1))

    def full(descriptor: int, content: bytes) -> int:
        del descriptor
        raise OSError(28, f"No space left on device ({len(content)} bytes)")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            target.flush(START + timedelta(seconds=1))
        put(target, 3, START + timedelta(seconds=2))
        with pytest.raises(OSError, match="No space"):
            target.flush(START + timedelta(seconds=2))
    target.flush(START + timedelta(seconds=3))
    newest = recorded_files(tmp_path)[-1]
    assert [r.change for r in read(newest.read_bytes())] == [{"=": {"r": ["3"]}}]


def files(folder: Path, hours: int, size: int = 100) -> list[Path]:
    made = [SectionFile(folder, START + timedelta(hours=hour), {}).path for hour in range(hours)]
    for file in made:
        os.truncate(file, size)
    return made


def test_old_files_are_removed_by_age(tmp_path: Path) -> None:
    made = files(tmp_path, 5)
    prune(tmp_path, Limits(days=1), START + timedelta(days=1, hours=2, minutes=30))
    assert recorded_files(tmp_path) == made[2:]


def test_the_oldest_files_are_removed_by_size_and_the_newest_stays(tmp_path: Path) -> None:
    made = files(tmp_path, 5)
    prune(tmp_path, Limits(days=0, most_bytes=250), START + timedelta(days=900))
    assert recorded_files(tmp_path) == made[3:]
    prune(tmp_path, Limits(days=1, most_bytes=1), START + timedelta(days=900))
    assert recorded_files(tmp_path) == made[4:]


def test_what_is_no_recording_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f"odd{SUFFIX}").write_text("")
    prune(tmp_path, Limits(days=1), START)
    assert (tmp_path / "notes.txt").exists()


def test_secrets_do_not_get_in_however_they_are_written() -> None:
    blot = Blotter(['p"ss/wörd+1', "short", ""])
    said = {
        "plain": 'login p"ss/wörd+1 failed',
        "url": "http://h/?t=p%22ss%2Fw%C3%B6rd%2B1",
        "database": "postgresql://ml:hunter22@db/x",
        "header": "Authorization: Bearer abcdefgh12345",
        "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
        "short": "short words stay",
    }
    text = blot(json.dumps(said))
    kept = json.loads(text)
    assert kept["plain"] == "login *** failed"
    assert kept["url"] == "http://h/?t=***"
    assert kept["database"] == "postgresql://ml:***@db/x"
    assert kept["header"] == "Authorization: Bearer ***"
    assert kept["token"] == "***"
    assert kept["short"] == "short words stay"
