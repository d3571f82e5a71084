"""Every socket of a home fits into a unix socket's name."""

from __future__ import annotations

from pathlib import Path

from appliance.config.paths import Paths, write_atomically


def test_a_deep_home_gets_a_short_runtime_folder() -> None:
    deep = Paths(Path("/") / "/".join(["folder"] * 20))
    assert len(str(deep.postgres_socket_dir / ".s.PGSQL.5432.lock")) <= 107
    assert deep.run == Paths(deep.home).run
    assert deep.run != Paths(deep.home / "other").run


def test_an_ordinary_home_keeps_its_sockets_inside() -> None:
    paths = Paths(Path("/home/me/.local/share/appliance"))
    assert paths.run.is_relative_to(paths.home)


def test_writing_replaces_the_whole_file_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    write_atomically(target, "one")
    write_atomically(target, "two")
    assert target.read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
