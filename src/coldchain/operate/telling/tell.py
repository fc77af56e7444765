"""Who is told of a run, and when?

A message is in the spool before anybody tries to send it; sending it, or not, never changes what the run came to (P13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coldchain.config.values import Channel, Config
from coldchain.errors import LedgerError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Post
from coldchain.ledger.messages import Told as Remembered
from coldchain.monitor import Surroundings
from coldchain.operate.telling.digest import digests_due
from coldchain.operate.telling.letters import Told, run_letter
from coldchain.operate.telling.news import Found, News, news_of, thread_of
from coldchain.operate.telling.posting import BUDGET_S, deliver_due, posts_of, send_directly
from coldchain.operate.telling.recounting import counted, wholes

if TYPE_CHECKING:
    from coldchain.operate.ending import Ending

_STOPPING_S = 3.0
"""Whoever asked the run to end does not wait for a mail server; the rest goes with the next run."""

__all__ = ["deliver_due", "tell"]


def tell(config: Config, ending: Ending, ledger: Ledger, around: Surroundings) -> None:
    """Put what is worth telling into the spool, and send what is due, for half a minute at most, if it ``sends``.

    What the ledger cannot take is sent at once, and is lost where that fails, too.
    """
    if not ending.job.notify:
        return
    posts: list[Post] = []
    remembered: list[Remembered] = []
    for channel in ending.job.notify:
        try:
            found = _news(config, channel, ending, ledger, around)
        except LedgerError:  # it cannot even be read: what is trouble is told without asking what was told before
            found = _alarm(config, ending, around)
        remembered += found.told
        for news in found.news:
            posts += posts_of(channel, news.letter, news.key, ledger.id, around)
    try:
        if posts or remembered:
            ledger.post(posts, remembered, around.clock())
    except LedgerError as error:
        around.monitor.note(f"messages are sent without being kept: {error}")
        for said in send_directly(config, posts, around):
            around.monitor.note(said)
        return
    if not ending.sends:
        return
    digests_due(config, ledger, around)
    deliver_due(config, ledger, around, budget_s=_STOPPING_S if around.monitor.stopping else BUDGET_S)


def _alarm(config: Config, ending: Ending, around: Surroundings) -> Found:
    if not ending.exit_code:
        return Found()
    letter, job = run_letter(ending, Told(config, around.host)), ending.job.name
    return Found([News(letter, (job, "alarm", ending.started.isoformat(), thread_of(job)))])


def _news(config: Config, channel: Channel, ending: Ending, ledger: Ledger, around: Surroundings) -> Found:
    found = news_of(channel, ending, ledger, Told(config, around.host))
    if not (channel.recount and found.news and ending.report):
        return found
    # Made anew with the counts: listing both sides is work that only a message is worth.
    again = (*counted(ending.job, ending.report, ledger), *wholes(ending.job, ending.before))
    return news_of(channel, ending, ledger, Told(config, around.host, again))
