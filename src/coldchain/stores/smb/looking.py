"""What stands under a name of a share?"""

from __future__ import annotations

from coldchain.errors import NotAFile, NotFound, Occupied
from coldchain.model import Entry
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.paths import entry_of
from coldchain.stores.smb.share import READING, Share
from coldchain.stores.smb.trouble import BUFFER_OVERFLOW

_NAME_SURROGATE = 0x20000000


def look(share: Share, key: str, use: str = READING) -> Entry:
    """One file; raises NotFound, NotAFile.  Asks for no right that could stand in anybody's way."""
    if not key:
        raise NotAFile("a folder", url=share.url, key=key)
    opening = m.create(share.name(key), m.READ_ATTRIBUTES, m.OPEN, m.FILE | m.NOT_FOLLOWED)
    try:
        answers = share.ask(key, opening, m.facts(), m.close(), use=use)
    except Occupied as error:  # a file stands where a folder would have to be: nothing stands below it
        raise NotFound("not there", url=share.url, key=key) from error
    if answers[1].status not in {0, BUFFER_OVERFLOW}:
        raise share.error(answers[1].status, key)
    facts = m.facts_of(answers[1].body)
    if facts.attributes & m.IS_REPARSE:
        with_tag = share.ask(key, opening, m.tag(m.SAME_FILE), m.close(), use=use)[1]
        if with_tag.status or m.tag_of(with_tag.body) & _NAME_SURROGATE:
            raise NotAFile("a symbolic link stands there; links are not followed", url=share.url, key=key)
    return entry_of(key, facts)
