"""Is the configuration that is found the one that was meant?"""

from __future__ import annotations

from pathlib import Path

import pytest

from coldchain.config.read import find_config
from coldchain.errors import ConfigurationError


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own configuration folder, empty."""
    import platformdirs

    for variable in ("HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    folder = platformdirs.user_config_path("coldchain", appauthor=False)
    folder.mkdir(parents=True)
    return folder


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("version = 1\n")
    return path


def test_the_first_place_that_has_one_wins(tmp_path: Path, own: Path) -> None:
    here = tmp_path / "here"
    last = _file(own / "coldchain.toml")
    assert find_config(None, {}, here) == last
    third = _file(here / "coldchain.toml")
    assert find_config(None, {}, here) == third
    second = _file(tmp_path / "b.toml")
    assert find_config(None, {"COLDCHAIN_CONFIG": str(second)}, here) == second
    first = _file(here / "a.toml")
    assert find_config(Path("a.toml"), {"COLDCHAIN_CONFIG": str(second)}, here) == first


def test_an_empty_variable_is_no_variable(tmp_path: Path, own: Path) -> None:
    file = _file(own / "coldchain.toml")
    assert find_config(None, {"COLDCHAIN_CONFIG": ""}, tmp_path) == file


def test_a_named_file_that_is_missing_is_never_replaced_by_another(tmp_path: Path, own: Path) -> None:
    _file(tmp_path / "coldchain.toml")
    with pytest.raises(ConfigurationError, match=r"gone\.toml: there is no such file \(--config names it\)"):
        find_config(Path("gone.toml"), {}, tmp_path)
    with pytest.raises(ConfigurationError, match=r"gone\.toml: there is no such file \(COLDCHAIN_CONFIG names it\)"):
        find_config(None, {"COLDCHAIN_CONFIG": "gone.toml"}, tmp_path)


def test_a_link_into_nowhere_is_not_passed_over(tmp_path: Path, own: Path) -> None:
    _file(own / "coldchain.toml")
    (tmp_path / "coldchain.toml").symlink_to("nowhere")
    assert find_config(None, {}, tmp_path) == tmp_path / "coldchain.toml"


def test_without_a_configuration_the_places_and_the_next_step_are_named(tmp_path: Path, own: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_config(None, {}, tmp_path)
    for part in (
        "--config", "COLDCHAIN_CONFIG", str(tmp_path / "coldchain.toml"), str(own / "coldchain.toml"), "coldchain init"
    ):  # fmt: skip
        assert part in str(caught.value)
