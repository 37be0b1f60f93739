"""E-mail: one message a round; the password goes through TLS or to this machine, and is never told."""

import socket
from pathlib import Path

import pytest

from handclasp.errors import InvalidInput, NoticeFailed
from handclasp.notice.password import mail_password
from handclasp.notice.smtp import SmtpChannel, smtp
from tests.notice.conftest import notice
from tests.notice.relay import Relay

PASSWORD = "h0rse-battery"


def channel(url: str, *, password: str | None = None, to: tuple[str, ...] = ("ops@example.com",)) -> SmtpChannel:
    return smtp(url, password=password, sender="handclasp@example.com", recipients=to)


def test_many_notices_are_one_mail(relay: Relay) -> None:
    to = ("ops@example.com", "night@example.com")
    channel(f"smtp://127.0.0.1:{relay.port}", to=to).send([notice(f"client-{n}") for n in range(500)])
    [(_, _, recipients, message)] = relay.messages
    assert recipients == list(to)
    assert message["Subject"] == "[handclasp] 500 notices: 500 client-certificate"
    assert message["From"] == "handclasp@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    lines = message.get_content().splitlines()
    assert len(lines) == 21
    assert "480 more" in lines[-1]


def test_text_of_others_cannot_make_a_header_or_a_line(relay: Relay) -> None:
    channel(f"smtp://127.0.0.1:{relay.port}").send(
        [notice(message="CN=evil\r\nBcc: them@example.com\r\n.\r\nQUIT ends")]
    )
    [(_, _, recipients, message)] = relay.messages
    assert recipients == ["ops@example.com"]
    assert message["Bcc"] is None
    assert message["Subject"] == r"[handclasp] CN=evil\r\nBcc: them@example.com\r\n.\r\nQUIT ends"


def test_a_password_is_not_sent_where_anybody_could_read_it(relay: Relay) -> None:
    relay.passwords["me"] = PASSWORD
    with pytest.raises(NoticeFailed, match="offers no TLS"):
        channel(f"smtp://me@0.0.0.0:{relay.port}", password=PASSWORD).send([notice()])
    assert relay.messages == []
    assert not any(line.startswith("AUTH") for line in relay.in_clear)


def test_to_this_machine_it_may_go_without(relay: Relay) -> None:
    relay.passwords["me"] = PASSWORD
    channel(f"smtp://me@127.0.0.1:{relay.port}", password=PASSWORD).send([notice()])
    [(user, tls, _, _)] = relay.messages
    assert (user, tls) == ("me", False)


@pytest.mark.usefixtures("trusting")
def test_tls_is_used_where_it_is_offered(tls_relay: Relay) -> None:
    tls_relay.passwords["me"] = PASSWORD
    channel(f"smtp://me@0.0.0.0:{tls_relay.port}", password=PASSWORD).send([notice()])
    [(user, tls, _, _)] = tls_relay.messages
    assert (user, tls) == ("me", True)
    assert {line.split()[0].upper() for line in tls_relay.in_clear} == {"EHLO", "STARTTLS"}


def test_a_relay_whose_certificate_does_not_verify_gets_no_mail(tls_relay: Relay) -> None:
    with pytest.raises(NoticeFailed, match="does not verify"):
        channel(f"smtp://0.0.0.0:{tls_relay.port}").send([notice()])
    assert tls_relay.messages == []


@pytest.mark.usefixtures("trusting")
def test_smtps_speaks_tls_from_the_start(smtps_relay: Relay) -> None:
    channel(f"smtps://127.0.0.1:{smtps_relay.port}").send([notice()])
    [(_, tls, _, _)] = smtps_relay.messages
    assert tls


def test_a_wrong_password_is_named_by_its_user_only(relay: Relay) -> None:
    relay.passwords["me"] = "another"
    with pytest.raises(NoticeFailed) as failed:
        channel(f"smtp://me@127.0.0.1:{relay.port}", password=PASSWORD).send([notice()])
    assert str(failed.value) == f"smtp (127.0.0.1:{relay.port}) refuses the password of me (535)"


def test_a_mail_that_some_of_them_get_is_sent_and_one_that_nobody_gets_is_not(relay: Relay) -> None:
    relay.unknown = {"gone@example.com"}
    channel(f"smtp://127.0.0.1:{relay.port}", to=("gone@example.com", "ops@example.com")).send([notice()])
    assert [recipients for _, _, recipients, _ in relay.messages] == [["ops@example.com"]]
    with pytest.raises(NoticeFailed, match=r"refuses every recipient \(550\)"):
        channel(f"smtp://127.0.0.1:{relay.port}", to=("gone@example.com",)).send([notice()])


def test_a_relay_that_is_not_there_or_will_not_is_a_failure(relay: Relay) -> None:
    relay.greeting = "554 not now"
    with pytest.raises(NoticeFailed, match="answered 554"):
        channel(f"smtp://127.0.0.1:{relay.port}").send([notice()])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NoticeFailed, match="Connection refused"):
            channel(f"smtp://127.0.0.1:{taken.getsockname()[1]}").send([notice()])


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("smtp://relay.example.com", 25),
        ("smtp://me@relay.example.com", 587),
        ("smtps://me@relay.example.com", 465),
        ("smtps://me@relay.example.com:4465", 4465),
    ],
)
def test_the_usual_ports(url: str, port: int) -> None:
    assert channel(url, password=PASSWORD).port == port


@pytest.mark.parametrize(
    ("url", "password", "to", "complaint"),
    [
        ("http://relay.example.com", None, ("a@b.example",), "names no relay"),
        ("smtp://", None, ("a@b.example",), "names no relay"),
        ("smtp://relay.example.com/path", None, ("a@b.example",), "names no relay"),
        ("smtp://[::1", None, ("a@b.example",), "no URL"),
        (f"smtp://me:{PASSWORD}@relay.example.com", None, ("a@b.example",), "holds a password"),
        ("smtp://me@relay.example.com", None, ("a@b.example",), "no password for me"),
        ("smtp://relay.example.com", None, (), "mail_to names nobody"),
        ("smtp://relay.example.com", None, ("nobody",), "is no mail address"),
        ("smtp://relay.example.com", None, ("a@b.example\r\nBcc: x@y.example",), "is no mail address"),
    ],
)
def test_settings_that_name_no_relay_are_refused(
    url: str, password: str | None, to: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint) as refused:
        channel(url, password=password, to=to)
    assert PASSWORD not in f"{refused.value} {refused.value.hint}"


def test_the_password_is_in_no_repr() -> None:
    assert PASSWORD not in repr(channel("smtp://me@relay.example.com", password=PASSWORD))


def test_a_password_file_is_private_and_has_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mail.pass"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o600)
    assert mail_password(None, "mail.pass", tmp_path) == PASSWORD
    assert mail_password(PASSWORD, None, tmp_path) == PASSWORD
    assert mail_password(None, None, tmp_path) is None
    with pytest.raises(InvalidInput, match="both set"):
        mail_password(PASSWORD, "mail.pass", tmp_path)
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="open to others"):
        mail_password(None, "mail.pass", tmp_path)
    path.chmod(0o600)
    for content in (b"", b"\n", b"\xff\n", b"x" * 2_000):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match="holds no password"):
            mail_password(None, "mail.pass", tmp_path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        mail_password(None, "other.pass", tmp_path)
