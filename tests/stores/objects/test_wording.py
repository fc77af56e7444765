"""Do the words of a place's options mean what they say, and is no secret repeated?"""

from __future__ import annotations

import pytest

from coldchain.errors import ConfigurationError
from coldchain.stores.objects import wording

URL = "s3://bucket"
MIB = 1 << 20


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://bucket/a", ("bucket", "a")),
        ("s3://bucket/a/b//", ("bucket", "a/b")),
        ("s3://bucket/@ .x", ("bucket", "@ .x")),
    ],
)
def test_a_url_names_a_bucket_and_a_folder(url: str, found: tuple[str, str]) -> None:
    assert wording.split(url, "s3") == found


@pytest.mark.parametrize("url", ["s3://bucket/a//b", "s3://bucket/../b", "s3://bucket/a/.", "s3://bucket//a"])
def test_p15_what_is_no_folder_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no folder"):
        wording.split(url, "s3")


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/a", "s3://bucket/a?sig=secret", "s3://bucket?x=secret"])
def test_p14_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        wording.split(url, "s3")
    assert "secret" not in str(caught.value)


def test_an_option_that_does_not_exist_is_refused() -> None:
    wording.only(URL, {"a": "", "b": ""}, ("a", "b", "c"))
    with pytest.raises(ConfigurationError, match="no option is called 'd'; there are a, b"):
        wording.only(URL, {"a": "", "d": ""}, ("a", "b"))


def test_true_and_false_have_a_few_spellings() -> None:
    said = {"a": "True", "b": "YES", "c": "1", "d": "false", "e": "no", "f": "0", "g": "perhaps"}
    assert [wording.truth(URL, said, name) for name in "abcdefx"] == [True] * 3 + [False] * 4
    with pytest.raises(ConfigurationError, match="g is true or false, not 'perhaps'"):
        wording.truth(URL, said, "g")


@pytest.mark.parametrize(
    ("said", "size_bytes"),
    [
        ("", 8 * MIB),
        ("0", 0),
        ("5", 5),
        ("5 B", 5),
        (" 7KB ", 7000),
        ("7 KiB", 7 << 10),
        ("2 MB", 2_000_000),
        ("2MiB", 2 * MIB),
        ("8 MiB", 8 * MIB),
    ],
)
def test_a_size_has_a_unit_or_is_in_bytes(said: str, size_bytes: int) -> None:
    assert wording.whole_bytes(URL, {"whole_size": said}) == size_bytes


@pytest.mark.parametrize("said", ["8388609", "9 MiB", "-1", "1.5 MB", "1 mb", "much", "1 GiB", "1 GB"])
def test_a_size_that_is_none_or_too_large_is_refused(said: str) -> None:
    with pytest.raises(ConfigurationError, match="whole_size is between 0 KiB and 8 MiB"):
        wording.whole_bytes(URL, {"whole_size": said})


def test_a_part_has_a_least_and_a_greatest_size() -> None:
    assert wording.part_bytes(URL, {}, 5 * MIB, 5 << 30) == 8 * MIB
    for said, found in (("5 MiB", 5 * MIB), ("5 GiB", 5 << 30), ("1 GB", 1_000_000_000)):
        assert wording.part_bytes(URL, {"part_size": said}, 5 * MIB, 5 << 30) == found
    for said in ("5242879", "5368709121", "0"):
        with pytest.raises(ConfigurationError, match="part_size is between 5120 KiB and 5120 MiB"):
            wording.part_bytes(URL, {"part_size": said}, 5 * MIB, 5 << 30)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ""),
        ("http://host:9000", "http://host:9000"),
        ("https://host/", "https://host"),
        ("https://host/path/", "https://host/path"),
    ],
)
def test_an_endpoint_is_an_address(said: str, found: str) -> None:
    assert wording.endpoint(URL, said) == found


@pytest.mark.parametrize("said", ["host", "host:9000", "ftp://host", "http://", "http://[", "file:///x"])
def test_what_is_no_address_is_refused(said: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint is none"):
        wording.endpoint(URL, said)


@pytest.mark.parametrize(
    "said", ["http://secret@host", "http://a:secret@host", "http://host?secret", "http://:secret@h"]
)
def test_p14_a_secret_in_an_endpoint_is_refused_and_not_repeated(said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        wording.endpoint(URL, said)
    assert "secret" not in str(caught.value)
