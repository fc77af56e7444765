"""What becomes of a password that stands in the URL of a place?"""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
from pathlib import Path

import pytest

from coldchain.config.read import read_config
from coldchain.config.urls import without_password
from coldchain.errors import ConfigurationError
from coldchain.model import Place, Secret
from coldchain.stores.base import open_store
from tests.config.writing import HOME, SMALL, complaint, write

SECRET = "can@ry/of:urls"
WRITTEN = "can%40ry%2Fof%3Aurls"
SIGN_IN = ["sftp://lab{}@nas/data", "smb://lab{}@nas/share/x", "webdavs://lab{}@nas/dav", "ftp://lab{}@nas/x"]


def with_url(url: str) -> str:
    return SMALL.replace("'to'", f"'{url}'")


@pytest.mark.parametrize("form", SIGN_IN)
def test_p14_a_password_in_a_url_is_taken_with_a_warning_and_kept_out_of_the_url(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, with_url(form.format(f":{WRITTEN}")))
    place = read_config(path, HOME).jobs["m"].destinations[0].place
    assert place.url == form.format("")
    assert place.secret is not None
    assert place.secret.reveal() == SECRET
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "[destinations.d] url: holds a password" in warning
    assert 'credentials = "env:NAME"' in warning
    assert "ry" not in warning.replace(str(path), "")
    assert open_store(place).url == place.url


def test_p14_a_password_by_name_needs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, with_url("sftp://lab:${PW}@nas/data"))
    path.chmod(0o644)
    place = read_config(path, HOME | {"PW": WRITTEN}).jobs["m"].destinations[0].place
    assert (place.url, place.secret and place.secret.reveal()) == ("sftp://lab@nas/data", SECRET)
    assert not caplog.records


def test_p14_a_password_of_a_source_is_treated_alike(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for source in (f"'sftp://lab:{WRITTEN}@nas/data'", f"{{ url = 'sftp://lab:{WRITTEN}@nas/data' }}"):
        path = write(tmp_path, SMALL.replace("'from'", source))
        place = read_config(path, HOME).jobs["m"].source
        assert place.url == "sftp://lab@nas/data"
        assert place.secret is not None
    assert len(caplog.records) == 2


def test_p14_a_file_that_others_can_read_must_hold_no_password(tmp_path: Path) -> None:
    path = write(tmp_path, with_url(SIGN_IN[0].format(f":{WRITTEN}")))
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"\[destinations.d\] url: holds a password, .* chmod 600") as caught:
        read_config(path, HOME)
    assert WRITTEN not in str(caught.value)


def test_p14_a_password_on_the_command_line_is_refused(tmp_path: Path) -> None:
    said = complaint(tmp_path, SMALL, overrides=[f"destinations.d.url=sftp://lab:{WRITTEN}@nas/x"])
    assert "everybody can see a password on the command line" in said
    assert WRITTEN not in said


@pytest.mark.parametrize("written", ["s3://KEY:{}@bucket/x", "s3://KEY:a/{}@bucket/x"])
def test_p14_the_key_of_a_bucket_is_taken_with_a_warning_and_leaves_the_url_whole(
    tmp_path: Path, written: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, with_url(written.format(WRITTEN)))
    place = read_config(path, HOME).jobs["m"].destinations[0].place
    assert place.url == "s3://bucket/x"
    assert place.secret is not None
    assert place.secret.reveal() in {f"KEY:{SECRET}", f"KEY:a/{SECRET}"}
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "[destinations.d] url: holds a password" in warning
    assert "profile" in warning
    assert "ry" not in warning.replace(str(path), "").replace("directory", "")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read this file"):
        read_config(path, HOME)


def test_two_ways_to_a_bucket_are_one_too_many() -> None:
    for option in (("profile", "lab"), ("anonymous", "true")):
        with pytest.raises(ConfigurationError, match="take one out"):
            open_store(Place("nas", "s3://bucket", (option,), Secret(f"KEY:{SECRET}")))


@pytest.mark.parametrize("url", ["s3://:{}@bucket/x", "gs://{}@bucket", "az://{}@box", "rclone://{}@remote/x"])
def test_p14_a_kind_that_signs_in_otherwise_refuses_a_password_with_the_next_step(tmp_path: Path, url: str) -> None:
    said = complaint(tmp_path, with_url(url.format(f"key:{WRITTEN}")))
    assert "must not hold a password" in said
    assert WRITTEN not in said


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    url = SIGN_IN[0].format(f":{WRITTEN}")
    said = complaint(tmp_path, with_url(url) + "credentials = 'env:LAB'\n")
    assert "take the password out of the URL" in said
    assert WRITTEN not in said


def test_p14_nothing_that_is_made_of_a_place_shows_its_password() -> None:
    place = Place("nas", "sftp://lab@nas/x", (), Secret(SECRET))
    texts = [repr(place), str(place), f"{place.secret}", json.dumps(dataclasses.asdict(place), default=str)]
    texts += [repr(copy.deepcopy(place)), repr(open_store(place)), str(vars(open_store(place)))]
    assert not [text for text in texts if SECRET in text]
    with pytest.raises(TypeError, match="credentials"):
        pickle.dumps(place)
    with pytest.raises(TypeError):
        json.dumps(dataclasses.asdict(place))
    assert place == Place("nas", "sftp://lab@nas/x")
    assert hash(place) == hash(Place("nas", "sftp://lab@nas/x"))


@pytest.mark.parametrize("url", ["gs://bucket/x", "/data", "rclone://box/x", "memory://x"])
def test_a_store_that_cannot_use_a_password_says_so(url: str) -> None:
    with pytest.raises(ConfigurationError, match="of no use here"):
        open_store(Place("nas", url, (), Secret(SECRET)))


@pytest.mark.parametrize("url", ["sftp://nas:2222/a@b:c@d", "sftp://lab@nas/x", "/a:b@c", "smb://nas/share/u:p@x"])
def test_what_only_looks_like_a_password_stays(url: str) -> None:
    assert without_password(url) == (url, None)
