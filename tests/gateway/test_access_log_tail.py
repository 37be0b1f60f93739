"""The access log is read line by line, each once, whatever is done to the file meanwhile."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handclasp.gateway import access_log_tail
from handclasp.gateway.access_log_tail import AccessLogTail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def _append(log: Path, text: bytes) -> None:
    with log.open("ab") as file:
        file.write(text)


def _all(tail: AccessLogTail) -> list[bytes]:
    found: list[bytes] = []
    while lines := tail.read():
        found += lines
    return found


def test_it_begins_at_the_end_of_a_log_of_years(log: Path) -> None:
    _append(log, b"old\nolder\n")
    tail = AccessLogTail(log)
    assert _all(tail) == []
    _append(log, b"new\n")
    assert _all(tail) == [b"new"]
    tail.close()


def test_it_begins_behind_the_last_whole_line(log: Path) -> None:
    _append(log, b"old\nhal")
    tail = AccessLogTail(log)
    _append(log, b"f\nnew\n")
    assert _all(tail) == [b"half", b"new"]
    tail.close()


def test_a_log_that_is_not_there_yet_is_read_from_its_beginning(log: Path) -> None:
    tail = AccessLogTail(log)
    assert tail.read() == []
    assert tail.position == ""
    _append(log, b"first\n")
    assert _all(tail) == [b"first"]
    tail.close()


def test_it_goes_on_where_another_ended(log: Path) -> None:
    first = AccessLogTail(log)
    _append(log, b"one\ntwo\nthr")
    assert _all(first) == [b"one", b"two"]
    position = first.position
    first.close()
    _append(log, b"ee\n")
    second = AccessLogTail(log, position)
    assert _all(second) == [b"three"]
    second.close()


def test_half_a_line_waits_for_its_other_half(log: Path) -> None:
    tail = AccessLogTail(log)
    _append(log, b'{"a":')
    assert _all(tail) == []
    _append(log, b"1}\n")
    assert _all(tail) == [b'{"a":1}']
    tail.close()


def test_a_renamed_log_is_read_to_its_end_before_the_new_one(log: Path) -> None:
    _append(log, b"")
    tail = AccessLogTail(log)
    _append(log, b"one\n")
    log.rename(log.with_name("access.log.1"))
    # The new file is there, and the writer does not know yet.
    log.touch()
    _append(log.with_name("access.log.1"), b"two\n")
    assert _all(tail) == [b"one", b"two"]
    _append(log.with_name("access.log.1"), b"three\n")
    _append(log, b"four\n")
    assert _all(tail) == [b"three", b"four"]
    tail.close()


def test_who_was_away_while_the_log_was_renamed_finds_it_under_its_new_name(log: Path) -> None:
    _append(log, b"one\n")
    first = AccessLogTail(log, "")
    assert _all(first) == [b"one"]
    position = first.position
    first.close()
    _append(log, b"two\n")
    log.rename(log.with_name("access.log.1"))
    _append(log, b"three\n")
    second = AccessLogTail(log, position)
    assert _all(second) == [b"two", b"three"]
    second.close()


def test_who_comes_back_to_a_log_that_is_gone_reads_the_new_one_from_its_beginning(log: Path) -> None:
    _append(log, b"one\n")
    tail = AccessLogTail(log, "1:4")
    assert _all(tail) == [b"one"]
    tail.close()


@pytest.mark.parametrize("after", [b"x\n", b"something longer than before\nand more\n"])
def test_a_log_that_was_copied_and_emptied_is_read_from_its_beginning(after: bytes, log: Path) -> None:
    _append(log, b"the first line\n")
    tail = AccessLogTail(log, "")
    assert len(_all(tail)) == 1
    os.truncate(log, 0)
    _append(log, after)
    assert _all(tail) == after.splitlines()
    tail.close()


def test_a_line_that_is_too_long_is_passed_over_and_the_next_is_read(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log_tail, "MAX_LINE", 16)
    tail = AccessLogTail(log, "")
    _append(log, b"short\n" + b"x" * 40)
    assert _all(tail) == [b"short"]
    position = tail.position
    _append(log, b"x" * 50)
    assert [tail.read() for _ in range(10)] == [[]] * 10
    # Until its end is found the position stays before it: half a line is no place to begin at.
    assert tail.position == position
    _append(log, b"\nafter\n")
    found = [line for _ in range(10) for line in tail.read()]
    assert found == [b"after"]
    tail.close()


def test_what_is_no_file_has_no_lines(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, Path("/dev/null")):
        assert AccessLogTail(place).read() == []


@pytest.mark.parametrize("position", ["", "x", "1:", ":1", "1:2:3", "-1:5", "99999999999999999999999:1", "1:2\n"])
def test_a_position_that_makes_no_sense_is_a_log_read_from_its_beginning(position: str, log: Path) -> None:
    _append(log, b"one\n")
    tail = AccessLogTail(log, position)
    assert _all(tail) == [b"one"]
    tail.close()


_STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=12).map(lambda data: ("write", data)),
        st.sampled_from([("write", b"\n"), ("read", b""), ("rename", b""), ("restart", b"")]),
    ),
    max_size=40,
)


@given(steps=_STEPS)
def test_each_line_is_read_once_however_it_was_written_and_whoever_reads(
    steps: list[tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A writer that opens the log anew after a rename, a reader that may be killed after each report."""
    log = tmp_path_factory.mktemp("log") / "access.log"
    log.touch()
    tail = AccessLogTail(log)
    written, found, renamed = b"", list[bytes](), 0
    for kind, data in [*steps, ("write", b"\n")]:
        if kind == "write":
            _append(log, data)
            written += data
        elif kind == "read":
            found += _all(tail)
        elif kind == "rename" and (written == b"" or written.endswith(b"\n")):
            found += _all(tail)  # two renames between two looks lose the file in between
            renamed += 1
            log.rename(log.with_name(f"access.log.{renamed}"))
            log.touch()
        elif kind == "restart":
            position = tail.position
            tail.close()
            tail = AccessLogTail(log, position)
    found += _all(tail)
    tail.close()
    assert found == written.split(b"\n")[:-1]
