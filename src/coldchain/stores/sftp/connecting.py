"""How is a connection to a server made, and when is it refused?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncssh

from coldchain.config.credentials import Account, account_at
from coldchain.errors import ConfigurationError, StoreGone
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.trouble import unreachable
from coldchain.stores.sftp.trust import Trust
from coldchain.stores.sftp.where import Patience, Where

_UNANSWERED = 16
"""Twice as long as ``Channel.watch`` waits for what is owed: a reply stands in line behind the data on a slow link."""


async def connect(where: Where, patience: Patience) -> Channel:
    """Log in and begin a session.

    Raises:
        ConfigurationError: A key or a password that the configuration names is not to be had.
        StoreGone: No other try can help: the server is not the one that is known, or does not know us.
        OSError: It cannot be reached; nor with the errors of ``trouble.LOST``.
    """
    who = account_at(where.url, where.user, where.credentials, where.secret)
    trust = Trust(where)
    try:
        ssh = await asyncssh.connect(where.host, **_manner(where, who, patience, trust))
    except asyncssh.HostKeyNotVerifiable as error:
        raise StoreGone(trust.refusal(), url=where.url) from error
    except asyncssh.PermissionDenied as error:
        raise StoreGone(_denied(where, who), url=where.url) from error
    except asyncssh.KeyExchangeFailed as error:
        # asyncssh asks only for the kinds of key that known_hosts has, so a server without them ends here
        reason = f"{where.server} and this computer have no cryptography in common, or the server's key is of another "
        reason += f"kind than the one in known_hosts ({error.reason})"
        raise StoreGone(reason, url=where.url) from error
    except (asyncssh.KeyImportError, asyncssh.ConfigParseError) as error:
        raise ConfigurationError(f"{where.url}: {error}") from error
    try:
        client = await ssh.start_sftp_client(path_encoding=None)
        channel = Channel(where, ssh, client)
        if where.at_home:
            home = await client.realpath(b".")
            channel.root = home.rstrip(b"/") + (b"/" + where.root if where.root else b"")
    except asyncssh.ChannelOpenError as error:
        await asyncio.sleep(0)  # asyncssh notes the end of a connection a turn of the loop after it was seen
        broken = ssh.is_closed()
        ssh.abort()
        if broken:  # nobody refused anything
            raise asyncssh.ConnectionLost(error.reason) from error
        raise unreachable(error, where) from error
    except BaseException:
        ssh.abort()
        raise
    return channel


def _manner(where: Where, who: Account, patience: Patience, trust: Trust) -> dict[str, Any]:
    """What asyncssh is told; what is not told is taken from ~/.ssh/config, the agent and the usual keys."""
    manner: dict[str, Any] = {
        "client_factory": lambda: trust,
        "known_hosts": trust.look_up,
        "connect_timeout": patience.connect_s,
        "login_timeout": patience.login_s,
        "keepalive_interval": patience.alive_s,
        "keepalive_count_max": _UNANSWERED,
        # asyncssh spends a fifth of the time on it that it spends on chacha20, which comes first elsewhere
        "encryption_algs": "^aes128-gcm@openssh.com,aes256-gcm@openssh.com",
        "compression_algs": None,
    }
    if where.port is not None:
        manner["port"] = where.port
    if who.user:
        manner["username"] = who.user
    if where.key:
        manner["client_keys"] = [_key(where)]
        manner["agent_path"] = None
    if who.password:
        manner["password"] = who.password
        if not where.key:  # a server that counts tries would close the door before the password's turn
            manner |= {"client_keys": None, "agent_path": None}
    return manner


def _key(where: Where) -> asyncssh.SSHKey:
    file = Path(where.key).expanduser()
    try:
        return asyncssh.read_private_key(str(file))
    except asyncssh.KeyEncryptionError:
        raise ConfigurationError(
            f"{where.url}: the key {file} has a passphrase: hand it to the agent (ssh-add {file}) and leave `key` out"
        ) from None
    except asyncssh.KeyImportError as error:
        if "assphrase" in str(error):
            raise ConfigurationError(
                f"{where.url}: the key {file} has a passphrase: hand it to the agent (ssh-add {file}) and leave "
                "`key` out"
            ) from None
        raise ConfigurationError(f"{where.url}: {file} is no private key ({error})") from error
    except OSError as error:
        raise ConfigurationError(f"{where.url}: the key {file} cannot be read: {error.strerror}") from error


def _denied(where: Where, who: Account) -> str:
    means = []
    if where.key:
        means.append(f"the key {where.key}")
    if who.password:
        means.append(f"the password of {where.credentials or 'the URL'}")
    shown = " and ".join(means) or "the agent and the usual keys"
    user = f" as {who.user}" if who.user else ""
    return (
        f"{where.server} does not let us in{user} with {shown}: is the user right, and does the server have the key "
        "(ssh-copy-id) or accept the password?"
    )
