"""Is a digest what everybody else computes?"""

from __future__ import annotations

import pytest

from coldchain.content.digests import digest_of
from coldchain.errors import ConfigurationError
from coldchain.model import Digest

ABC = {
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # FIPS 180-4, example B.1
    "md5": "900150983cd24fb0d6963f7d28e17f72",  # RFC 1321, A.5
    "blake3": "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
}


@pytest.mark.parametrize("algorithm", ABC)
def test_the_digest_of_all_pieces_is_that_of_the_whole(algorithm: str) -> None:
    several: list[list[bytes | memoryview]] = [[b"abc"], [b"a", memoryview(b"bc")], [b"", b"ab", b"", b"c"]]
    for pieces in several:
        assert digest_of(algorithm, pieces) == (Digest(algorithm, ABC[algorithm]), 3)


def test_another_name_is_an_error_and_no_other_digest() -> None:
    with pytest.raises(ConfigurationError, match="sha1"):
        digest_of("sha1", [b"abc"])
