"""E-mail: one plain message through one relay.

smtps:// speaks TLS from the start; smtp:// turns to TLS where the relay offers it (RFC 3207), verified. A password goes
through TLS or to this machine itself, and nowhere else.
"""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from handclasp.errors import InvalidInput, NoticeFailed
from handclasp.notice.digest import heading, lines
from handclasp.notice.port import TIMEOUT_SECONDS, Notice
from handclasp.notice.post import is_loopback

_SUBMISSION, _RELAY, _SMTPS = 587, 25, 465
_HOW = "smtp://USER@HOST:PORT, smtps://USER@HOST:PORT"


@dataclass(frozen=True)
class SmtpChannel:
    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    name: str = "smtp"

    def send(self, notices: Sequence[Notice]) -> None:
        """A relay that refuses some of the recipients has taken the message; one that refuses all has not."""
        where = f"{self.name} ({self.host}:{self.port})"
        try:
            with self._connected() as relay:
                self._log_in(relay, where)
                relay.send_message(self._message(notices), self.sender, self.recipients)
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({str(code) for code, _ in error.recipients.values()})
            raise NoticeFailed(f"{where} refuses every recipient ({', '.join(codes)})") from None
        except smtplib.SMTPAuthenticationError as error:
            raise NoticeFailed(
                f"{where} refuses the password of {self.user} ({error.smtp_code})", hint="setting watch.smtp_password"
            ) from None
        except smtplib.SMTPResponseException as error:
            raise NoticeFailed(f"{where} answered {error.smtp_code}") from None
        except ssl.SSLCertVerificationError as error:
            raise NoticeFailed(f"{where}: its certificate does not verify: {error.verify_message}") from None
        except TimeoutError:
            raise NoticeFailed(f"{where} did not answer within {TIMEOUT_SECONDS:.0f} s") from None
        except smtplib.SMTPNotSupportedError:
            raise NoticeFailed(f"{where} takes no password, or not these addresses") from None
        except OSError as error:  # smtplib's own errors are among them
            raise NoticeFailed(f"{where} cannot be reached: {error.strerror or type(error).__name__}") from None

    def _connected(self) -> smtplib.SMTP:
        if self.tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)

    def _log_in(self, relay: smtplib.SMTP, where: str) -> None:
        relay.ehlo_or_helo_if_needed()
        # This machine's own relay often has a certificate that nobody could verify, and no wire to listen on.
        local = is_loopback(self.host)
        protected = self.tls
        if not self.tls and not local and relay.has_extn("starttls"):
            relay.starttls(context=ssl.create_default_context())
            relay.ehlo()
            protected = True
        if self.user is None:
            return
        if not protected and not local:
            raise NoticeFailed(f"{where} offers no TLS: the password is not sent", hint="use smtps://")
        relay.login(self.user, self.password or "")

    def _message(self, notices: Sequence[Notice]) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message["Subject"] = f"[handclasp] {heading(notices)}"
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answer comes back
        message.set_content("\n".join(lines(notices)) + "\n")
        return message


def smtp(url: str, *, password: str | None, sender: str, recipients: tuple[str, ...]) -> SmtpChannel:
    """Raises InvalidInput, naming the setting and never a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("setting watch.smtp is no URL", hint=_HOW) from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path.strip("/"):
        raise InvalidInput("setting watch.smtp names no relay", hint=_HOW)
    if parts.password is not None:
        raise InvalidInput("setting watch.smtp holds a password", hint="put it into watch.smtp_password_file")
    user = unquote(parts.username) if parts.username else None
    if user is not None and password is None:
        raise InvalidInput(f"no password for {user} at the mail relay", hint="set watch.smtp_password_file")
    if not recipients:
        raise InvalidInput("setting watch.mail_to names nobody", hint="the mail relay is set: whom is it for?")
    for address in (sender, *recipients):
        _check_address(address)
    tls = parts.scheme == "smtps"
    usual = _SMTPS if tls else (_SUBMISSION if user else _RELAY)
    return SmtpChannel(parts.hostname, port or usual, tls, user, password, sender, recipients)


def _check_address(text: str) -> None:
    try:
        found = Address(addr_spec=text)
    except (ValueError, IndexError):
        found = None
    if found is None or not found.domain or not text.isprintable():
        raise InvalidInput(f"{text!r} is no mail address", hint="settings watch.mail_from and watch.mail_to")
