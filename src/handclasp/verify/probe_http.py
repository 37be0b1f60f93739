"""One GET, by hand: what is read is bounded in bytes and in time, and half an answer is an answer."""

import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BytesIO

from handclasp.verify.target import Target

#: Enough for every error page that says why; the rest of a large answer is not our business.
MAX_ANSWER = 65_536


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer; `date` is the server's clock, if it says."""

    status: int
    headers: dict[str, str]
    body: bytes
    date: datetime | None


def ask(target: Target) -> bytes:
    return (
        f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nUser-Agent: handclasp-doctor\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def read_answer(connection: socket.socket, question: bytes, deadline: float) -> tuple[bytes, bool]:
    """What came back by the deadline (time.monotonic()), and whether the deadline is what ended it.

    A server that refuses a TLS 1.3 client may have closed already: then the write fails, but its alert still
    waits to be read.
    """
    try:
        connection.sendall(question)
    except TimeoutError:
        return b"", True
    except OSError:
        pass
    answer = b""
    while len(answer) < MAX_ANSWER and not _complete(answer):
        left = deadline - time.monotonic()
        if left <= 0:
            return answer, True
        connection.settimeout(left)
        try:
            chunk = connection.recv(16_384)
        except TimeoutError:
            return answer, True
        except OSError:
            break
        if not chunk:
            break
        answer += chunk
    return answer, False


def response_of(answer: bytes) -> Response | None:
    """The answer as HTTP; None when it is not. Chunks are joined, a body cut short is kept as far as it goes."""
    try:
        parsed = HTTPResponse(_Replay(answer), method="GET")  # type: ignore[arg-type]
        parsed.begin()
        headers = {name.lower(): value for name, value in parsed.getheaders()}
        try:
            body = parsed.read(MAX_ANSWER)
        except IncompleteRead as cut:
            body = cut.partial
    except (HTTPException, ValueError, OSError):
        return None
    return Response(parsed.status, headers, body, _date(headers.get("date")))


class _Replay:
    """The one method of a socket that HTTPResponse uses."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._data)


def _complete(answer: bytes) -> bool:
    """True when nothing more can follow, for servers that keep the connection open all the same."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value[:20])
        if name == b"transfer-encoding" and b"chunked" in value:
            return body.endswith(b"0\r\n\r\n")
    return False


def _date(text: str | None) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
