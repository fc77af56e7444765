"""How do people hear that an agent is late or in trouble?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coldchain.config.values import Channel, Config
from coldchain.monitor import Surroundings
from coldchain.notify.base import Tone
from coldchain.notify.letter import Letter
from coldchain.operate.fleet.fleet import Agent
from coldchain.operate.telling.posting import posts_of, send_directly

_TOLD = 50


def tell_of_trouble(
    config: Config, channel: Channel, agents: Sequence[Agent], unread: Sequence[str], around: Surroundings
) -> Iterator[str]:
    """Send one message about agents in trouble and places that cannot be read; yields what could not be sent.

    At once and not by the spool: the reader of a fleet needs no ledger of its own.
    """
    number = len(agents) + len(unread)
    facts = [(f"{one.host}/{one.job}" if one.job else one.host, f"{one.condition}: {one.why}") for one in agents]
    facts += [("not read", said) for said in unread]
    headline = f"{number} {'is' if number == 1 else 'are'} late or in trouble"
    letter = Letter(
        f"coldchain fleet: {headline}", headline, Tone.TROUBLE, tuple(facts[:_TOLD]), command="coldchain fleet"
    )
    key = ("fleet", around.clock().isoformat(), "fleet")
    yield from send_directly(config, posts_of(channel, letter, key, "fleet", around), around)
