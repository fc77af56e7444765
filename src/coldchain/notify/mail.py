"""How does a message become mail, and reach the mail server?

RFC 5321 decides what is accepted: the server's answer after the last line of DATA.  What happens to the connection
after that changes nothing; whoever hears no answer cannot know, and sends the same Message-ID again.
"""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses

from coldchain.config.credentials import Account, look_up
from coldchain.config.values import Mail, Security
from coldchain.errors import ConfigurationError
from coldchain.notify.base import Message, NotifyError, NotifyRefused, Sent, Tone, plain, short

_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
_POLICY = SMTP.clone(cte_type="7bit")
"""DKIM signs what is sent: eight-bit lines are encoded anew on the way, and the signature no longer fits."""
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OWN = "coldchain.invalid"
"""RFC 2606: belongs to nobody, so no message of somebody else ever has such a name."""
_SAID_LENGTH = 300


class MailLine:
    """An account of a mail server."""

    way = "mail"

    def __init__(self, channel: str, mail: Mail, host: str) -> None:
        self.name = f"mail by {mail.host}"
        self._channel = channel
        self._mail = mail
        self._hello = host if _HOST.fullmatch(host) else "[127.0.0.1]"

    def send(self, message: Message, done: tuple[str, ...], patience_s: float) -> Sent:
        """Send it in one session; one recipient who is refused does not keep it from the others."""
        wanted = recipients(self._mail, message.tone)
        left = [one for one in wanted if one not in done]
        if not left:
            return Sent()
        body = as_sent(compose(self._mail, message, wanted))
        who = self._account()
        if who and self._mail.security is Security.NONE and self._mail.host not in _LOOPBACK:
            raise NotifyRefused(
                f"{self._mail.host}: a password is never sent over a line that anybody can read; set security"
            )
        with self._told(who), self._session(patience_s) as server:
            if who:
                server.login(who.user, who.password)
            return _hand_over(server, bare(self._mail.sender), left, body)

    def _account(self) -> Account | None:
        if not self._mail.credentials:
            return None
        try:
            return look_up(self._mail.credentials, self._mail.user, needs_user=True)
        except ConfigurationError as error:
            raise NotifyRefused(str(error)) from None

    @contextmanager
    def _session(self, patience_s: float) -> Iterator[smtplib.SMTP]:
        """A connection that is cut when patience ends, though its server still says a word now and then."""
        mail, end = self._mail, time.monotonic() + patience_s
        port, trust = mail.port or _PORTS[mail.security], ssl.create_default_context()
        if mail.security is Security.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=self._hello, timeout=patience_s, context=trust)
        else:
            server = smtplib.SMTP(local_hostname=self._hello, timeout=patience_s)
        server._host = mail.host  # type: ignore[attr-defined]  # smtplib sets it only when it connects at once
        watch = _Watch(server)
        timer = threading.Timer(patience_s, watch.cut)
        timer.daemon = True
        timer.start()
        try:
            code, said = server.connect(mail.host, port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            if mail.security is Security.STARTTLS:
                server.starttls(context=trust)
            yield server
            watch.over = True
            with suppress(OSError, smtplib.SMTPException):  # it was accepted: how they part changes nothing
                if server.sock is not None:
                    server.sock.settimeout(max(0.1, min(2.0, end - time.monotonic())))
                server.quit()
        except (OSError, smtplib.SMTPException):
            if watch.was_cut:
                raise NotifyError(f"{mail.host} did not come to an end within {patience_s:.0f} s") from None
            raise
        finally:
            timer.cancel()
            server.close()

    @contextmanager
    def _told(self, who: Account | None) -> Iterator[None]:
        """Say what went wrong in words."""
        host = self._mail.host
        try:
            yield
        except smtplib.SMTPAuthenticationError as error:
            raise NotifyRefused(f"{host} does not accept user and password ({error.smtp_code})") from None
        except smtplib.SMTPNotSupportedError as error:
            raise NotifyRefused(f"{host} does not offer what is asked for: {_clean(error, who)}") from None
        except smtplib.SMTPResponseException as error:
            kind = NotifyRefused if 500 <= error.smtp_code < 600 else NotifyError
            raise kind(f"{host} answered {error.smtp_code} {_clean(error.smtp_error, who)}") from None
        except ssl.SSLCertVerificationError as error:
            raise NotifyRefused(f"{host} cannot prove that it is {host}: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise NotifyError(f"{host}: no safe line could be made ({_clean(error.reason or error, who)})") from None
        except TimeoutError:
            raise NotifyError(f"{host} does not answer in time") from None
        except (OSError, smtplib.SMTPException, EOFError) as error:
            raise NotifyError(f"{host} cannot be reached: {_clean(error, who)}") from None


class _Watch:
    """Cuts a connection from another thread."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server
        self.over = False
        self.was_cut = False

    def cut(self) -> None:
        """Wake whoever waits for a word."""
        if not self.over and (line := self._server.sock) is not None:
            self.was_cut = True
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def recipients(mail: Mail, tone: Tone) -> tuple[str, ...]:
    """Who hears of such news, each once."""
    troubled = mail.problems_to or mail.to
    by_tone = {Tone.TROUBLE: troubled, Tone.OVER: (*mail.to, *troubled)}
    return tuple(dict.fromkeys(by_tone.get(tone, mail.to)))


def bare(address: str) -> str:
    """The address alone, of ``Name <a@b.c>``; raises NotifyRefused for what is none."""
    found = [one for _, one in getaddresses([address])]
    if len(found) != 1 or not re.fullmatch(r"[\x21-\x3b\x3d\x3f-\x7e]+@[\x21-\x3b\x3d\x3f-\x7e]+", found[0]):
        raise NotifyRefused(f"{short(address, 80)!r} is no address that mail can be sent to")
    return found[0]


def compose(mail: Mail, message: Message, to: tuple[str, ...]) -> EmailMessage:
    """Make the mail, as RFC 5322 wants it; hostile text costs its looks, never the message."""
    try:
        made = _compose(mail, message, message.subject, to, html=message.html)
        made.as_bytes()
    except (ValueError, LookupError, AttributeError, MessageError):
        # The standard library's parser of headers has met texts that it could not fold; an alarm is worth more.
        subject = plain(message.subject).encode("ascii", "backslashreplace").decode("ascii")
        made = _compose(mail, message, subject, to, html="")
    return made


def as_sent(made: EmailMessage) -> bytes:
    """The bytes that go over the line.

    The standard library folds a subject by putting all of it below its name, which some programs show as a space; in
    ASCII it fits into one line, while encoded words have to be folded at 76 characters (RFC 2047).
    """
    plainly = all(str(value).isascii() for value in made.values())
    return made.as_bytes(policy=_POLICY.clone(max_line_length=200) if plainly else _POLICY)


def _compose(mail: Mail, message: Message, subject: str, to: tuple[str, ...], *, html: str) -> EmailMessage:
    made = EmailMessage(policy=_POLICY)
    made["From"] = _address(mail.sender)
    made["To"] = tuple(map(_address, to))
    made["Subject"] = short(subject, 120)
    made["Date"] = format_datetime(message.at)
    made["Message-ID"] = f"<{message.id}@{_OWN}>"
    if message.thread:
        made["In-Reply-To"] = made["References"] = f"<{message.thread}@{_OWN}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no robot answers
    if message.tone is Tone.TROUBLE:
        made["Importance"] = "high"
    made.set_content(_encodable(message.text), cte="quoted-printable")
    if html:
        made.add_alternative(_encodable(html), subtype="html", cte="quoted-printable")
    return made


def _address(text: str) -> Address:
    spec = bare(text)
    return Address(plain(getaddresses([text])[0][0]), addr_spec=spec)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _hand_over(server: smtplib.SMTP, sender: str, to: list[str], body: bytes) -> Sent:
    server.ehlo_or_helo_if_needed()
    _want(server.mail(sender, [f"size={len(body)}"] if server.has_extn("size") else []), sender)
    refused: dict[str, str] = {}
    later: dict[str, str] = {}
    accepted = []
    for one in to:
        try:
            code, said = server.rcpt(bare(one))
        except NotifyRefused as error:
            refused[one] = str(error)
            continue
        if code in (250, 251):
            accepted.append(one)
        elif code == 421:
            raise smtplib.SMTPResponseException(code, said)
        else:
            (refused if code >= 500 else later)[one] = f"{code} {_clean(said, None)}"
    if not accepted:
        raise _nobody({**refused, **later}, NotifyError if later else NotifyRefused)
    code, said = server.data(body)
    if code != 250:
        raise smtplib.SMTPDataError(code, said)
    return Sent(tuple(accepted), refused, later)


def _want(answer: tuple[int, bytes], sender: str) -> None:
    code, said = answer
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, said, sender)


def _nobody(why: Mapping[str, str], kind: type[NotifyError]) -> NotifyError:
    return kind("no recipient was accepted: " + "; ".join(f"{plain(one)} ({said})" for one, said in why.items()))


def _clean(said: object, who: Account | None) -> str:
    """What a server or the system said, on one line, short, and without what it may have heard from us."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    text = " ".join(text.split())
    for secret in _spellings(who) if who else ():
        text = text.replace(secret, "***")
    return short(text, _SAID_LENGTH)


def _spellings(who: Account) -> Iterator[str]:
    """The password as it is, and as AUTH PLAIN and AUTH LOGIN spell it; longest first."""
    for raw in (f"\0{who.user}\0{who.password}", who.password):
        yield base64.b64encode(raw.encode("utf-8", "surrogatepass")).decode("ascii")
    yield who.password
