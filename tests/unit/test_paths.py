"""Where a home may be, and that its sockets lie where everybody finds them and nobody else gets in."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from appliance.config.paths import Paths, write_atomically
from appliance.errors import ConfigError

DEEP = Path("/") / "/".join(["folder"] * 20)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def shared_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where others write, in the role of /tmp."""
    place = tmp_path / "shared"
    place.mkdir()
    monkeypatch.setattr("appliance.config.paths._SHARED_PLACE", place)
    return place


def at(monkeypatch: pytest.MonkeyPatch, home: str) -> Paths:
    monkeypatch.setenv("APPLIANCE_HOME", home)
    return Paths.from_environment()


def give_away(path: Path) -> str:
    """Make another user of this machine the owner of a path; return the name."""
    stranger = pwd.getpwnam("nobody")
    os.chown(path, stranger.pw_uid, stranger.pw_gid)
    return stranger.pw_name


def test_a_deep_home_gets_a_short_folder_for_its_sockets() -> None:
    deep = Paths(DEEP)
    assert len(str(deep.postgres_socket_dir / ".s.PGSQL.5432.lock")) <= 107
    assert deep.sockets == Paths(DEEP).sockets
    assert deep.sockets != Paths(DEEP / "other").sockets
    assert deep.run == DEEP / "run"


@pytest.mark.parametrize(
    "name", ["a b", "한글", "50%", "a+b", "a&b", "a#b", "[x]", "{y}", "a,b", "'", '"']
)
def test_an_odd_home_has_sockets_with_plain_names(name: str) -> None:
    sockets = Paths(Path("/srv", name)).sockets
    assert sockets.parent == Path("/tmp")
    assert sockets.name.replace("-", "").isalnum()


def test_an_ordinary_home_keeps_its_sockets_inside() -> None:
    paths = Paths(Path("/home/me/.local/share/appliance"))
    assert paths.sockets == paths.run


def test_neither_the_shell_nor_a_link_moves_the_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    link = tmp_path / "link"
    link.symlink_to(deep)
    before = Paths(deep).sockets
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert Paths(deep).sockets == Paths(link).sockets == before


@as_root
def test_a_folder_that_another_user_made_first_is_refused(shared_place: Path) -> None:
    paths = Paths(shared_place / ("d" * 90))
    folder = paths.sockets
    folder.mkdir()
    folder.chmod(0o777)
    stranger = give_away(folder)
    for use in (paths.create, lambda: paths.control_socket):
        with pytest.raises(
            ConfigError, match=rf"a folder of {stranger} .* with mode 777"
        ) as raised:
            use()
        assert "sudo rm -r" in raised.value.hint


@pytest.mark.parametrize("fault", ["open", "link", "file"])
def test_a_folder_for_sockets_that_is_not_ours_alone_is_refused(
    shared_place: Path, fault: str
) -> None:
    paths = Paths(shared_place / ("d" * 90))
    folder = paths.sockets
    if fault == "open":
        folder.mkdir()
        folder.chmod(0o755)
    elif fault == "link":
        folder.symlink_to(shared_place)
    else:
        folder.touch()
    with pytest.raises(ConfigError, match=r"expected a folder of .* with mode 700"):
        paths.create()


def test_all_folders_are_ours_alone(shared_place: Path) -> None:
    paths = Paths(shared_place / ("d" * 90))
    paths.create()
    for folder in (paths.home, paths.secrets, paths.run, paths.sockets, paths.postgres_socket_dir):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_run_folder_that_was_opened_is_closed(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home")
    paths.create()
    paths.run.chmod(0o755)
    paths.create()
    assert paths.run.stat().st_mode & 0o777 == 0o700


@as_root
def test_the_home_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(tmp_path / "home")
    paths.create()
    stranger = give_away(paths.home)
    for use in (paths.create, lambda: at(monkeypatch, str(paths.home))):
        with pytest.raises(ConfigError, match=f"belongs to {stranger}") as raised:
            use()
        assert stranger in raised.value.hint


def test_a_home_that_is_open_to_others_is_closed_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = Paths(tmp_path / "home")
    paths.home.mkdir()
    paths.home.chmod(0o777)
    paths.create()
    assert paths.home.stat().st_mode & 0o777 == 0o700
    assert "was open to others (mode 777)" in caplog.text


def test_an_open_folder_with_other_things_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError, match="holds other things"):
        Paths(tmp_path).create()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("below", ["thesis.txt/home", "thesis.txt", "x" * 256])
def test_a_home_that_cannot_be_made_says_why(tmp_path: Path, below: str) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigError, match=r"cannot be created|is no folder"):
        Paths(tmp_path / below).create()


@pytest.mark.parametrize(
    ("home", "reason"),
    [
        ("/srv/a?b", "question mark"),
        ("/srv/$HOME", "dollar sign"),
        ("/srv/" + "x" * 256, "255 bytes"),
        ("/srv/a\nb", "control character"),
        ("/srv/a\x1b[31m", "control character"),
        (os.fsdecode(b"/srv/\xff\xfe"), "no UTF-8"),
        ("/srv/" + "x/" * 400, "804 bytes"),
        ("~nobody-of-this-name/home", "home"),
    ],
)
def test_an_impossible_home_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, home: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as raised:
        at(monkeypatch, home)
    assert "\n" not in raised.value.message


def test_a_dollar_sign_alone_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert at(monkeypatch, "/srv/$5 a$").home == Path("/srv/$5 a$")


def test_a_home_may_be_relative_or_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert at(monkeypatch, "-home.").home == tmp_path / "-home."
    assert at(monkeypatch, "a/../b").home == tmp_path / "b"


def test_writing_replaces_the_whole_file_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    write_atomically(target, "one")
    write_atomically(target, "two")
    assert target.read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
