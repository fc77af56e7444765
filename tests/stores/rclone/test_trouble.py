"""Is an error of rclone taken for what it means?"""

from __future__ import annotations

import pytest

from coldchain.errors import Denied, NotFound, Occupied, StoreError, StoreFull, StoreGone, Unreliable
from coldchain.stores.rclone.remote import nanoseconds
from coldchain.stores.rclone.trouble import translate


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("stat /data/pytest-409/x: no such file or directory", NotFound),
        ("lstat /mnt/403/quota/a.tif: no such file or directory", NotFound),
        ("open run/plate-401.tif: object not found", NotFound),
        ('failed to open "two words/507 429": file does not exist', NotFound),
        ("HTTP error 401 (401 Unauthorized) returned body", StoreGone),
        ("dial tcp 127.0.0.1:9: connect: connection refused", StoreGone),
        ("read tcp: i/o timeout", StoreGone),
        ("HTTP error 403 (403 Forbidden)", Denied),
        ("409 Conflict", Occupied),
        ("open /x/y: no space left on device", StoreFull),
        ("googleapi: Error 429: too many", Unreliable),
        ("open /x/y: read-only file system", StoreGone),
    ],
)
def test_what_a_path_is_called_does_not_change_what_an_error_means(said: str, kind: type[StoreError]) -> None:
    error = translate(said, 500, remote="r", url="rclone://r", key="run/plate-401.tif")
    assert type(error) is kind


@pytest.mark.parametrize("filling", ["a", "ab-", "token", "/a", "//a", '"/'])
def test_a_remote_that_answers_with_a_page_is_understood_at_once_by_its_beginning_or_its_end(filling: str) -> None:
    """A megabyte would take hours, were all of it searched."""
    page = filling * (1_000_000 // len(filling))
    for said in (f"HTTP error 403 (403 Forbidden) {page}", f"{page}: dial tcp: lookup x: no such host"):
        error = translate(said, 500, remote="r", url="rclone://r", key="k")
        assert isinstance(error, Denied | StoreGone)
        assert len(str(error)) < 500


def test_p14_a_secret_in_the_words_of_a_remote_is_never_shown() -> None:
    for said in ("https://me:SECRET@host/x", 'token="SECRET"', "Bearer SECRET", "x" * 1990 + " token=SECRET and more"):
        assert "SECRET" not in str(translate(said, 500, remote="r", url="rclone://r", key="k"))


@pytest.mark.parametrize(
    "said", ["", "2024-99-99T00:00:00Z", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00+99:00", "soon"]
)
def test_a_time_that_is_none_is_no_time(said: str) -> None:
    assert nanoseconds(said) == 0
    assert nanoseconds("2024-01-01T01:00:00.123456789+01:00") == 1_704_067_200_123_456_789
