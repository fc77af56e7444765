"""Is what stands under a name what was sent, and is it ours, whatever the server says to that?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pytest

from coldchain.errors import FlushFailed, NameRefused, NotFound, Occupied, StoreError, StoreFull, Unreliable
from coldchain.model import Entry
from coldchain.stores.objects.bucket import Abilities, Found
from coldchain.stores.objects.held import Held
from coldchain.testing.contract.acts import put_in, replace, staging_of
from tests.stores.objects.remembering import RememberingBucket, Server, Upload, store_of

WHOLE = 1000
SMALL, LARGE = b"s" * WHOLE, b"l" * (WHOLE + 1)
HEEDLESS = Abilities(heeds=False, vouches="")
each_size = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])


class Meddled(RememberingBucket):
    """A bucket at which something happens right after an object was written."""

    def put(
        self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
    ) -> str:
        mark = super().put(path, content, metadata, sums, expected)
        self.after(path)
        return mark

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str], owner: str) -> Upload:
        upload = super().begin(path, announced_bytes, metadata, owner)
        publish = upload.publish

        def meddled(expected: Found | None, sums: Mapping[str, str]) -> None:
            publish(expected, sums)
            self.after(path)

        upload.publish = meddled  # type: ignore[method-assign]
        return upload

    def after(self, path: str) -> None:
        """To be overridden."""


def meddled(deed: Callable[[RememberingBucket, str], object]) -> type[RememberingBucket]:
    class Bucket(Meddled):
        def after(self, path: str) -> None:
            deed(self, path)

    return Bucket


def sent(
    server: Server, content: bytes, bucket: type[RememberingBucket] = RememberingBucket, mtime_ns: int = 1
) -> tuple[Entry | StoreError, str]:
    """What comes of a file that is carried there, and what vouches for it."""
    store = store_of(server, bucket, whole_bytes=WHOLE)
    with staging_of(store) as staging:
        put_in(staging, "f", content, Entry("f", len(content), mtime_ns))
        staging.flush()
        return staging.publish({"f": None})["f"], staging.vouched("f")


def did(server: Server) -> list[str]:
    return [asked.partition(" ")[0] for asked in server.asked]


def test_up_to_a_size_a_file_is_sent_whole_and_beyond_it_piece_by_piece() -> None:
    server = Server()
    result, vouched = sent(server, SMALL)
    assert isinstance(result, Entry)
    assert (did(server), vouched) == (["put", "seen"], "adler"), "a glance at the mark is enough"
    server = Server()
    result, vouched = sent(server, LARGE)
    assert isinstance(result, Entry)
    assert (did(server), vouched) == (["begin", "finish", "publish", "look", "published"], "adler")
    assert server.uploads == 0


def test_what_waited_goes_ahead_of_what_made_it_large() -> None:
    server = Server()
    with staging_of(store_of(server, whole_bytes=10)) as staging:
        sink = staging.open("f", Entry("f", 30, 1))
        for piece in (b"01234", b"56789", b"abcde", b"x", b"fghij"):
            sink.write(piece)
        sink.close()
        assert isinstance(staging.publish({"f": None})["f"], Entry)
    assert server.objects["f"][1] == b"0123456789abcdexfghij"


@each_size
def test_what_is_not_published_leaves_no_upload(content: bytes) -> None:
    server = Server()
    for end in ("abort", "discard", "nothing", "close"):
        with staging_of(store_of(server, whole_bytes=WHOLE)) as staging:
            sink = staging.open("f", Entry("f", len(content), 1))
            sink.write(content)
            if end != "nothing":
                sink.abort() if end == "abort" else sink.close()
            if end == "discard":
                staging.discard("f")
        assert (server.uploads, server.objects) == (0, {})
    assert did(server).count("forgotten") == (4 if content is LARGE else 0)
    assert "published" not in did(server)


@pytest.mark.parametrize(
    ("mtime_ns", "told"), [(1_600_000_000_000_000_001, "1600000000.000000001"), (999_999_999, "0.999999999"), (0, None)]
)
@each_size
def test_the_time_of_the_source_is_told_as_rclone_tells_it(content: bytes, mtime_ns: int, told: str | None) -> None:
    server = Server()
    sent(server, content, mtime_ns=mtime_ns)
    metadata = server.objects["f"][0].metadata
    assert metadata.get("mtime") == told
    digest = hashlib.sha256(content).hexdigest() if content is SMALL else None  # of a large one it is not yet known
    assert metadata.get("coldchain_sha256") == digest


def test_a_name_that_no_bucket_keeps_is_refused_before_anything_is_asked() -> None:
    server = Server()
    with staging_of(store_of(server)) as staging, pytest.raises(NameRefused):
        staging.open("a//b", Entry("a//b", 1, 1))
    assert server.asked == []


@each_size
def test_a_lost_reply_is_no_second_upload_and_no_failure(content: bytes) -> None:
    def lose(bucket: RememberingBucket, path: str) -> None:
        raise Unreliable("the reply was lost")

    server = Server()
    result, vouched = sent(server, content, meddled(lose))
    assert isinstance(result, Entry)
    assert result.size_bytes == len(content)
    assert vouched == "adler"
    assert did(server).count("put") + did(server).count("publish") == 1
    assert server.uploads == 0


@each_size
def test_trouble_before_anything_was_written_is_trouble(content: bytes) -> None:
    def undo(bucket: RememberingBucket, path: str) -> None:
        del bucket.server.objects[path]
        raise Unreliable("no")

    assert isinstance(sent(Server(), content, meddled(undo))[0], Unreliable)


@each_size
def test_trouble_where_somebody_elses_object_stands_is_trouble(content: bytes) -> None:
    def theirs(bucket: RememberingBucket, path: str) -> None:
        bucket.server.make(path, content, {})
        raise Unreliable("no")

    server = Server()
    assert isinstance(sent(server, content, meddled(theirs))[0], Unreliable)
    assert server.objects["f"][0].metadata == {}


@each_size
def test_a_server_that_is_full_is_not_asked_again(content: bytes) -> None:
    def full(bucket: RememberingBucket, path: str) -> None:
        raise StoreFull("no")

    server = Server()
    assert isinstance(sent(server, content, meddled(full))[0], StoreFull)
    assert "look" not in did(server)


def test_trouble_while_looking_whose_it_is_hides_not_the_first_one() -> None:
    class Deaf(Meddled):
        def after(self, path: str) -> None:
            raise Unreliable("the first")

        def look(self, path: str, *, sums: bool = False) -> Found:
            raise Unreliable("the second")

    result = sent(Server(), SMALL, Deaf)[0]
    assert isinstance(result, Unreliable)
    assert result.reason == "the first"


@each_size
@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize(
    "spoil", [lambda content: content[:-1], lambda content: b"x" + content[1:]], ids=["cut", "flip"]
)
def test_p02_a_server_that_keeps_other_bytes_is_found_out_and_they_are_removed(
    content: bytes, tells: bool, spoil: Callable[[bytes], bytes]
) -> None:
    class Spoiling(Meddled):
        def after(self, path: str) -> None:
            found, stored = self.server.objects[path]
            self.server.make(path, spoil(stored), found.metadata)

    server = Server(tells=tells)
    result = sent(server, content, Spoiling)[0]
    assert isinstance(result, FlushFailed)
    assert result.key == "f"
    assert "f" not in server.objects


@each_size
def test_p02_where_no_checksum_is_shown_the_size_still_tells(content: bytes) -> None:
    def cut(bucket: RememberingBucket, path: str) -> None:
        bucket.server.make(path, content[:-1], bucket.server.objects[path][0].metadata)

    server = Server(tells=False, shows=frozenset())
    assert isinstance(sent(server, content, meddled(cut))[0], FlushFailed)
    assert "f" not in server.objects


def test_p02_a_server_that_shows_nothing_but_sha_256_is_compared_by_that_where_it_is_known() -> None:
    """Of a file that is sent piece by piece it is not computed: what is large is compared by faster sums."""

    def flip(bucket: RememberingBucket, path: str) -> None:
        found, stored = bucket.server.objects[path]
        bucket.server.make(path, b"x" + stored[1:], found.metadata)

    shows = frozenset({"sha256"})
    for content in (SMALL, LARGE):
        assert isinstance(sent(Server(tells=False, shows=shows), content)[0], Entry)
    assert isinstance(sent(Server(tells=False, shows=shows), SMALL, meddled(flip))[0], FlushFailed)
    large = sent(Server(tells=False, shows=shows), LARGE, meddled(flip))
    assert isinstance(large[0], Entry)
    assert large[1] == "", "nothing vouches for it, so that it is read back"


@each_size
def test_p02_what_the_server_took_and_does_not_have_is_no_success(content: bytes) -> None:
    def forget(bucket: RememberingBucket, path: str) -> None:
        del bucket.server.objects[path]

    result = sent(Server(tells=False), content, meddled(forget))[0]
    assert isinstance(result, FlushFailed)
    assert result.key == "f"


@each_size
def test_p05_of_two_writers_that_the_server_does_not_keep_apart_one_is_told(content: bytes) -> None:
    def quicker(bucket: RememberingBucket, path: str) -> None:
        bucket.server.make(path, content, {"coldchain_write": "another"})

    server = Server(tells=False, whole=HEEDLESS, large=HEEDLESS)
    assert isinstance(sent(server, content, meddled(quicker))[0], Occupied)
    assert server.objects["f"][0].metadata == {"coldchain_write": "another"}


@each_size
def test_what_vouches_is_what_the_server_was_seen_to_refuse_and_shows(content: bytes) -> None:
    one, none = Abilities(heeds=True, vouches="adler"), Abilities(heeds=True, vouches="")
    small = content is SMALL
    assert sent(Server(whole=one, large=none, tells=False), content)[1] == ("adler" if small else "")
    assert sent(Server(whole=none, large=one, tells=False), content)[1] == ("" if small else "adler")
    assert sent(Server(whole=one, large=none), content)[1] == ("adler" if small else "")
    assert sent(Server(tells=False, shows=frozenset({"crc"})), content)[1] == ""
    assert sent(Server(tells=False, shows=frozenset()), content)[1] == ""


@each_size
def test_p05_where_the_server_heeds_no_condition_it_is_looked_before(content: bytes) -> None:
    server = Server(whole=HEEDLESS, large=HEEDLESS)
    server.make("f", b"theirs", {})
    result = sent(server, content)[0]
    assert isinstance(result, Occupied)
    assert server.objects["f"][1] == b"theirs"
    assert "put" not in did(server)
    assert "publish" not in did(server)


@each_size
def test_what_is_replaced_may_be_known_without_its_number(content: bytes) -> None:
    """A record of the ledger may be of a time at which none was noted."""
    server = Server()
    store = store_of(server, whole_bytes=WHOLE)
    old = server.make("f", b"old", {}).entry("f")
    assert isinstance(replace(store, "f", content, old._replace(inode=old.inode + 1)), Occupied)
    assert isinstance(replace(store, "f", content, old._replace(inode=0)), Entry)
    assert server.objects["f"][1] == content


def test_p05_what_somebody_puts_there_while_it_is_taken_back_stays() -> None:
    class Busy(RememberingBucket):
        def delete(self, path: str, found: Found | None) -> None:
            self.server.make(path, b"theirs", {})
            super().delete(path, found)

    class Gone(RememberingBucket):
        def delete(self, path: str, found: Found | None) -> None:
            raise NotFound("somebody was quicker")

    for bucket, left in ((Busy, b"theirs"), (Gone, SMALL)):
        server = Server()
        with staging_of(store_of(server, bucket, whole_bytes=WHOLE)) as staging:
            put_in(staging, "f", SMALL)
            staging.publish({"f": None})
            staging.discard("f")
        assert server.objects["f"][1] == left
