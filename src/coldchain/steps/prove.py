"""Does a destination hold what was written to it?"""

from __future__ import annotations

from coldchain.content.digests import digest_of
from coldchain.model import Digest, ProofKind
from coldchain.stores.base import Staging


def prove(staging: Staging, key: str, digest: Digest, proof: ProofKind) -> str:
    """Name the means by which it was seen; "" where the destination reads back something else.

    To be asked between flushing and publishing, or after that where ``Traits.proves_published``; of a size, the entry
    that publishing returns tells.  Raises StoreError.
    """
    if proof is ProofKind.SIZE:
        return "stat"
    if proof is ProofKind.CHECKSUM and (vouched := staging.vouched(key)):
        return vouched
    with staging.read_back(key) as reader:
        found, _ = digest_of(digest.algorithm, reader.chunks())
        how = reader.how
    return how if found == digest else ""
