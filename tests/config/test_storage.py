"""Does a place have the options of its kind, and is a wrong one named before anything is opened?"""

from __future__ import annotations

from pathlib import Path

import pytest

from coldchain.config.storage import BY_KIND
from coldchain.model import Place
from tests.config.writing import JOB, TOP, complaint, read
from tests.conftest import REPOSITORY

URLS = {
    "s3": "s3://bucket/x",
    "gs": "gs://bucket",
    "az": "az://container/x",
    "sftp": "sftp://lab@host:2222/x",
    "smb": "smb://nas/share/x",
    "rclone": "rclone://my box/x",
    "fsspec": "webdav://host/x",
}
COMMON = "bandwidth = '50 MB/s'\nretries = 7\n"
IN_DESTINATION = "coldchain.toml: [destinations.d] "


def _written(url: str, lines: str = "") -> str:
    return f"{TOP}{JOB}[destinations.d]\nurl = '{url}'\n{lines}\n"


def _place(folder: Path, url: str, lines: str = "") -> Place:
    return read(folder, _written(url, lines)).jobs["m"].destinations[0].place


@pytest.mark.parametrize(
    ("kind", "lines", "options"),
    [
        ("s3", "endpoint = 'http://nas:9000/'", {"endpoint": "http://nas:9000"}),
        ("s3", "region = 'eu'\nprofile = 'lab'\nstorage_class = 'GLACIER_IR'",
         {"region": "eu", "profile": "lab", "storage_class": "GLACIER_IR"}),
        ("s3", "sse = 'aws:kms'\nkms_key = 'arn:1'", {"sse": "aws:kms", "kms_key": "arn:1"}),
        ("s3", "tags = { retention = '10y', project = 'atlas' }", {"tags": "project=atlas, retention=10y"}),
        ("s3", "tags = 'a=1,b=2'", {"tags": "a=1, b=2"}),
        ("s3", "requester_pays = true\nanonymous = false", {"requester_pays": "true", "anonymous": "false"}),
        ("s3", "patience = '2 min'", {"patience": "120 s"}),
        ("s3", "addressing = 'path'\npart_size = '16 MiB'", {"addressing": "path", "part_size": "16777216"}),
        ("smb", "encrypt = 'auto'", {"encrypt": "auto"}),
        ("az", "part_size = '1 MiB'\nwhole_size = '0 B'", {"part_size": "1048576", "whole_size": "0"}),
        ("gs", "endpoint = 'http://x:1'\nproject = 'p'\nstorage_class = 'NEARLINE'\nkms_key = 'k'",
         {"endpoint": "http://x:1", "project": "p", "storage_class": "NEARLINE", "kms_key": "k"}),
        ("az", "account = 'a'\nendpoint = 'http://h:1/a'\nstorage_class = 'Cool'\nanonymous = true",
         {"account": "a", "endpoint": "http://h:1/a", "storage_class": "Cool", "anonymous": "true"}),
        ("sftp", "key = '~/.ssh/k'\nknown_hosts = 'hosts'\ncredentials = 'env:NAS'",
         {"key": "/home/lab/.ssh/k", "known_hosts": "{folder}/hosts", "credentials": "env:NAS"}),
        ("smb", "auth = 'kerberos'\nencrypt = true\ncredentials = 'keyring:my nas'\nask_writers = 'yes'",
         {"auth": "kerberos", "encrypt": "yes", "credentials": "keyring:my nas", "ask_writers": "yes"}),
        ("rclone", "config = 'rclone.conf'\nrclone = 'rclone-beta'\nspool = '/s'",
         {"config": "{folder}/rclone.conf", "rclone": "rclone-beta", "spool": "/s"}),
        ("rclone", "rclone = './bin/rclone'", {"rclone": "{folder}/bin/rclone"}),
        ("fsspec", "options = { port = 21, tls = true, host = 'h' }",
         {"options": '{"host": "h", "port": 21, "tls": true}'}),
    ],
)  # fmt: skip
def test_the_options_of_a_kind_arrive_as_plain_text(
    tmp_path: Path, kind: str, lines: str, options: dict[str, str]
) -> None:
    expected = {key: text.replace("{folder}", str(tmp_path)) for key, text in options.items()}
    assert _place(tmp_path, URLS[kind], lines) == Place("d", URLS[kind], tuple(sorted(expected.items())))


@pytest.mark.parametrize("url", [*URLS.values(), "memory://x"])
def test_every_remote_kind_can_be_slowed_and_tried_again(tmp_path: Path, url: str) -> None:
    assert _place(tmp_path, url, COMMON).options == (("bandwidth", "50 MB/s"), ("retries", "7"))


def test_limits_by_the_hour_arrive_as_one_text(tmp_path: Path) -> None:
    lines = "bandwidth = { '22:00-06:00' = '200 MB/s', '08:00 - 18:00' = '50 MB/s' }"
    options = _place(tmp_path, URLS["s3"], lines).options
    assert options == (("bandwidth", "08:00-18:00 50 MB/s; 22:00-06:00 200 MB/s"),)


def test_a_source_may_have_options_too(tmp_path: Path) -> None:
    text = _written("/to").replace("'from'", "{ url = 's3://bucket/x', endpoint = 'https://s3.example.org' }")
    source = read(tmp_path, text).jobs["m"].source
    assert source == Place("m", "s3://bucket/x", (("endpoint", "https://s3.example.org"),))
    plain = read(tmp_path, _written("/to").replace("'from'", "{ url = 'from' }")).jobs["m"].source
    assert plain == Place("m", str(tmp_path / "from"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{ url = 's3://bucket', endpont = 'https://x' }", "source.endpont: unknown key; did you mean 'endpoint'?"),
        ("{ url = 's3://bucket', layout = '{path}' }", "source.layout: unknown key; known are "),
        ("{ url = 's3://bucket', key = 'x' }", "source.key: is no option of s3://, but of sftp://"),
        ("{ endpoint = 'https://x' }", "source.url: is missing, and required"),
        ("{ url = 's3:bucket' }", 'source.url: "s3:bucket" looks like a URL without its slashes'),
        ("{ url = 'from', region = 'x' }", "source.region: is an option of s3://, not of a folder"),
        ("1", "source: 1 must be text in quotes, or a table with a url"),
        ("''", 'source: "" must not be empty'),
    ],
)
def test_a_wrong_source_is_named_with_what_to_do(tmp_path: Path, source: str, said: str) -> None:
    assert complaint(tmp_path, _written("/to").replace("'from'", source)).startswith(f"coldchain.toml: [jobs.m] {said}")


@pytest.mark.parametrize(
    ("url", "line", "said"),
    [
        ("/mnt/nas", "endpoint = 'https://x'", "endpoint: is an option of s3://, gs://, az://, not of a folder"),
        ("/mnt/nas", "bandwith = '1 MB/s'", "bandwith: unknown key"),
        ("s3://bucket", "bandwith = '1 MB/s'", "bandwith: unknown key; did you mean 'bandwidth'?"),
        ("s3://bucket", "storage_clas = 'x'", "storage_clas: unknown key; did you mean 'storage_class'?"),
        ("sftp://h/x", "region = 'x'", "region: is no option of sftp://, but of s3://; known are bandwidth"),
        ("gs://bucket", "sse = 'AES256'", "sse: is no option of gs://, but of s3://"),
        ("ftp://h/x", "key = 'x'", "key: is no option of ftp://, but of sftp://"),
        ("s3://bucket", "options = { a = 'x' }", "options: is no option of s3://, but of other schemes"),
        ("s3://bucket", "endpoint = 'nas:9000'", 'endpoint: "nas:9000" must be the URL of a server, such as'),
        ("s3://bucket", "endpoint = 'http://[x'", "is no URL"),
        ("s3://bucket", "endpoint = 'https://u@h'", "must hold no user and no password"),
        ("s3://bucket", "endpoint = ''", "must not be empty"),
        ("s3://bucket", "region = 1", "region: 1 must be text in quotes"),
        ("s3://bucket", "anonymous = 'yes'", 'anonymous: "yes" must be true or false, without quotes'),
        ("s3://bucket", "sse = 'aws-kms'", "sse: \"aws-kms\" is none of AES256, aws:kms; did you mean 'aws:kms'?"),
        ("s3://bucket", "kms_key = 'k'", 'kms_key: needs sse = "aws:kms"'),
        ("s3://bucket", "addressing = 'dns'", "is none of path, virtual"),
        ("s3://bucket", "part_size = '1 MB'", 'part_size: "1 MB" must be from "5 MiB" to "5 GiB"'),
        ("s3://bucket", "part_size = 8000000", "is no size: write a number with its unit"),
        ("s3://bucket", "part_size = 'big'", "is no size"),
        ("s3://bucket", "tags = 'atlas'", "must be a table of texts"),
        ("s3://bucket", "tags = []", "must be a table"),
        ("s3://bucket", "tags = { a = 1 }", "must be a table of texts"),
        ("s3://bucket", "bandwidth = 50", "bandwidth: 50 write a number with its unit"),
        ("s3://bucket", "bandwidth = '50 MB'", 'bandwidth: "50 MB" is no bandwidth: write a number with its unit'),
        ("s3://bucket", "bandwidth = '50 Mb/s'", "is no bandwidth"),
        ("s3://bucket", "bandwidth = '0 MB/s'", "at which nothing ever arrives"),
        ("s3://bucket", "bandwidth = {}", "or a table of hours"),
        ("s3://bucket", "bandwidth = { '8-18' = '1 MB/s' }", "bandwidth: (a table) holds hours that are none"),
        ("s3://bucket", "bandwidth = { '08:00-08:00' = '1 MB/s' }", "hours that end when they begin"),
        ("s3://bucket", "bandwidth = { '08:00-18:00' = 1 }", "holds a limit that is no text"),
        ("s3://bucket", "bandwidth = { '08:00-18:00' = '1 MB/s', '17:00-19:00' = '2 MB/s' }", "hours that overlap"),
        ("s3://bucket", "bandwidth = { '22:00-06:00' = '1 MB/s', '05:00-07:00' = '2 MB/s' }", "hours that overlap"),
        ("s3://bucket", "retries = -1", "retries: -1 must be 0 or more"),
        ("s3://bucket", "retries = 101", "retries: 101 must be 100 or less"),
        ("smb://h/s", "auth = 'basic'", "is none of negotiate, ntlm, kerberos"),
        ("sftp://h/x", "key = 'https://x'", "must be a path on this machine, not a URL"),
        ("ftp://h/x", "options = 'a'", "options: must be a table"),
        ("ftp://h/x", "options = { a = [1] }", "options: must hold texts, numbers, true and false only"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named_with_what_to_do(tmp_path: Path, url: str, line: str, said: str) -> None:
    whole = complaint(tmp_path, _written(url, line))
    assert whole.startswith(IN_DESTINATION)
    assert said in whole
    assert len(whole.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("sftp://h/x", "credentials = 'canary-7'"),
        ("sftp://h/x", "credentials = 'env:canary-7'"),
        ("ftp://h/x", "options = { password = 'canary-7' }"),
        ("ftp://h/x", "options = { api_token = 'canary-7', other = 1 }"),
        ("ftp://h/x", "options = { secret_key = 'canary-7' }"),
        ("s3://bucket", "endpoint = 'https://me:canary-7@host'"),
        ("rclone://me:canary-7@box/x", ""),
        ("az://container/x?sv=1&sig=canary-7", ""),
    ],
)
def test_a_secret_that_stands_where_none_belongs_is_refused_and_never_said(tmp_path: Path, url: str, line: str) -> None:
    assert "canary" not in complaint(tmp_path, _written(url, line))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://", "names no bucket that there could be: the form is s3://bucket or s3://bucket/folder"),
        ("s3:///x", "names no bucket"),
        ("s3://b", "names no bucket"),
        ("s3://bu cket", "names no bucket"),
        ("s3://me@bucket", "must not hold a user or a key in front of the bucket"),
        ("s3://bucket/a//b", 'must not hold "//"'),
        ("gs://bucket/../x", 'must not hold "//", "." or ".."'),
        ("az://container/./x", "the form is az://container or az://container/folder"),
        ("sftp://host", "must name a folder after the host: the form is sftp://user@host/folder"),
        ("sftp:///x", "names no host"),
        ("sftp://u@/x", "names no host"),
        ("sftp://h:0/x", "names a port that does not exist"),
        ("sftp://h:99999/x", "names a port that does not exist"),
        ("sftp://h:ssh/x", "names no host"),
        ("sftp://h/x/../y", 'must not hold "//"'),
        ("smb://nas", "must name a share after the server"),
        ("smb://nas/", "must name a share after the server"),
        ("smb:///share", "names no host"),
        ("smb://nas/share\\x", "must not hold backslashes"),
        ("rclone://", "names no remote of rclone"),
        ("rclone://box:x", "must have a slash after the remote, not a colon"),
        ("rclone://-box/x", "names no remote of rclone"),
        ("ftp://", "names no place after ://"),
        ("s3://key@bucket", "the key comes from the environment"),
        ("s3://key:12/3@bucket", "%2F stands for a slash"),
        ("gs://key:secret@bucket", "the key comes from the environment"),
        ("rclone://u:p@box/x", "rclone keeps it in its own configuration"),
    ],
)  # fmt: skip
def test_a_malformed_url_is_refused_in_words(tmp_path: Path, url: str, said: str) -> None:
    whole = complaint(tmp_path, _written(url))
    assert whole.startswith(f"{IN_DESTINATION}url: ")
    assert said in whole


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket",
        "s3://Bucket.of_old/Run 1/#2 50%?",
        "gs://bucket/",
        "az://$web/x",
        "sftp://host/",
        "sftp://lab@[::1]:2222/data/a b",
        "smb://me@nas.example.org:4455/Share/Über",
        "rclone://my-box_2@home/a/b",
        "fsspec+memory://x",
        "hdfs://namenode:8020/user/lab",
        "webdavs://host/remote.php/dav/files/lab",
    ],
)
def test_a_right_url_stays_as_it_is(tmp_path: Path, url: str) -> None:
    assert _place(tmp_path, url).url == url


def test_a_mistake_in_the_url_does_not_hide_one_in_the_options(tmp_path: Path) -> None:
    said = complaint(tmp_path, _written("s3://b", "endpoint = 'x'\nlayuot = '{path}'\nretries = -1\ncredentials = 1"))
    assert len(said.splitlines()) == 5


def test_an_option_can_be_filled_from_the_environment_and_set_by_hand(tmp_path: Path) -> None:
    text = _written("s3://bucket", "endpoint = '${ENDPOINT}'")
    config = read(tmp_path, text, {"ENDPOINT": "https://a"}, ["destinations.d.region=eu"])
    assert config.jobs["m"].destinations[0].place.options == (("endpoint", "https://a"), ("region", "eu"))


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind, options in BY_KIND.items() for key in options.model_fields]
)
def test_every_option_is_documented_with_its_kind(kind: str, key: str) -> None:
    text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    parts = {part.partition("\n")[0].strip(): part for part in text.split("\n### ")}
    own = parts.get({"fsspec": "Other schemes"}.get(kind, kind), "")
    assert f"`{key}`" in own + parts["Every remote store: `bandwidth` and `retries`"]
