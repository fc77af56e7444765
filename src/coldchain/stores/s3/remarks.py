"""What should a person know or set right about a bucket and its server?"""

from __future__ import annotations

from collections.abc import Iterator

from coldchain.errors import StoreError
from coldchain.stores.s3.abilities import Seen
from coldchain.stores.s3.calling import Caller, Facts
from coldchain.stores.s3.trouble import code_of, status_of

_RULE = "AbortIncompleteMultipartUpload"
_HOW = f"a lifecycle rule with {_RULE}, as docs/stores/s3.md shows"
_EVERYBODY = {"AllUsers", "AuthenticatedUsers"}
"""Groups of Amazon's, by the ends of their URIs; the second one is whoever has any account there."""
_WRITING = {"WRITE", "FULL_CONTROL"}
_NOT_KNOWN = {405, 501}
"""The server does not know such a question (RFC 9110)."""


def remarks_on(whole: Seen, parts: Seen) -> Iterator[str]:
    """Say which of its promises a server was seen not to keep, and what that means."""
    if not (whole.creates_only and parts.creates_only and whole.replaces_only and parts.replaces_only):
        yield (
            "the server does not heed every condition (If-None-Match, If-Match): let no other program write "
            "under the same folder, for two that take one name in the same instant could overwrite each other"
        )
    if not (whole.verifies and parts.verifies):
        yield 'the server does not compare every checksum: with verify = "checksum" such copies are read back'


def remarks_on_bucket(call: Caller) -> Iterator[str]:
    """Say how the bucket is set up where somebody should look at it; rights that are missing for that are no fault."""
    yield from _on_rights(call)
    yield from _on_uploads(call)
    if _asked(call, "get_bucket_versioning").get("Status") == "Enabled":
        yield (
            "the bucket keeps versions: what coldchain replaces or takes back goes on lying there, and is paid for, "
            "until a lifecycle rule lets old versions expire"
        )


def _on_rights(call: Caller) -> Iterator[str]:
    """Rights for everybody; what this account alone may do too much cannot be asked without doing it."""
    for grant in _asked(call, "get_bucket_acl").get("Grants", ()):
        if grant.get("Grantee", {}).get("URI", "").rpartition("/")[2] in _EVERYBODY and grant["Permission"] in _WRITING:
            yield "everybody may write into the bucket: take that grant out of its access control list"
            return


def _on_uploads(call: Caller) -> Iterator[str]:
    """The next run aborts what a killed one began; where there is no next run, only the server can."""
    unfinished = "uploads in parts that nobody finishes lie unseen in the bucket and may cost money"
    answer = _asked(call, "get_bucket_lifecycle_configuration")
    if any(_RULE in rule and rule.get("Status") == "Enabled" for rule in answer.get("Rules", ())):
        return
    code, status = answer.get("code", ""), answer.get("status", 0)
    if status in _NOT_KNOWN:
        yield f"{unfinished}: the server knows no lifecycle rules ({_RULE}); let whoever runs it sweep them"
    elif code and code != "NoSuchLifecycleConfiguration":
        yield f"{unfinished}: whether there is {_HOW}, could not be seen ({code}); ask whoever owns the bucket"
    else:
        yield f"{unfinished}: give it {_HOW}"


def _asked(call: Caller, question: str) -> Facts:
    """What is said of the bucket; a refusal as its code and status."""
    try:
        return call(question)
    except StoreError as error:
        cause = error.__cause__
        return {"code": code_of(cause) or type(cause).__name__, "status": status_of(cause)}
