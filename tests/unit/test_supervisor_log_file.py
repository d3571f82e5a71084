"""Service logs: rotated, without secrets, readable from the end."""

from __future__ import annotations

from pathlib import Path

from appliance.supervisor.log_file import LogFile, copy_truncate, read_tail


def test_rotation_keeps_every_line_of_the_kept_files_in_order(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    log = LogFile(path, rotate_bytes=1000, kept_files=3)
    for number in range(200):
        log.write(f"line {number}\n".encode())
    log.close()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["x.log", "x.log.1"]
    text = "".join((tmp_path / name).read_text() for name in reversed(names))
    assert text == "".join(f"line {number}\n" for number in range(200))
    assert all(file.stat().st_size < 1100 for file in tmp_path.iterdir())


def test_the_oldest_file_goes(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", rotate_bytes=100, kept_files=2)
    for number in range(1000):
        log.write(f"line {number}\n".encode())
    log.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2"]


def test_a_secret_is_blotted_out_even_when_it_arrives_in_pieces(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", secrets=["hunter2hunter2"])
    log.write(b"password is hunter2")
    log.write(b"hunter2, keep it\n")
    log.close()
    assert (tmp_path / "x.log").read_text() == "password is ***, keep it\n"


def test_an_unfinished_line_is_written_at_the_end(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log")
    log.write(b"one\ntwo")
    assert (tmp_path / "x.log").read_text() == "one\n"
    log.close()
    assert (tmp_path / "x.log").read_text() == "one\ntwo\n"
    assert log.last_words == "two"


def test_the_last_words_name_the_error_rather_than_what_follows_it(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log")
    log.write(b"starting\nOperationalError: connection refused\n(Background on this error)\nbye\n")
    assert log.last_words == "OperationalError: connection refused"
    log.close()


def test_the_log_is_private(tmp_path: Path) -> None:
    LogFile(tmp_path / "x.log").close()
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


def test_the_tail_reaches_into_the_rotated_file(tmp_path: Path) -> None:
    (tmp_path / "x.log.1").write_text("a\nb\nc\n")
    (tmp_path / "x.log").write_text("d\n")
    assert read_tail(tmp_path / "x.log", 3) == ["b", "c", "d"]
    assert read_tail(tmp_path / "x.log", 1) == ["d"]
    assert read_tail(tmp_path / "x.log", 99) == ["a", "b", "c", "d"]
    assert read_tail(tmp_path / "missing.log", 5) == []


def test_the_tail_of_a_large_file_is_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"{number:080}\n" for number in range(5000)))
    assert read_tail(path, 2000) == [f"{number:080}" for number in range(3000, 5000)]


def test_a_log_that_is_kept_open_is_emptied_in_place(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        copy_truncate(path, above_bytes=100)
        writer.write(b"new\n")
    assert path.read_text() == "new\n"
    assert (tmp_path / "x.log.1").read_text() == "old\n" * 100
