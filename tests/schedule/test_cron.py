"""The line for cron says what the setting says, or that cron cannot."""

import shlex
from datetime import timedelta

import pytest

from handclasp.cli.schedule.cron_line import cron_line
from handclasp.errors import InvalidInput

COMMAND = ["/opt/bin/handclasp", "--state", "/srv/state", "schedule", "run"]


@pytest.mark.parametrize(
    ("rate", "fields"),
    [
        (timedelta(minutes=1), "* * * * *"),
        (timedelta(minutes=15), "*/15 * * * *"),
        (timedelta(hours=1), "M * * * *"),
        (timedelta(hours=6), "M */6 * * *"),
        (timedelta(days=1), "M 5 * * *"),
        (timedelta(days=7), "M 5 * * 1"),
    ],
)
def test_rates_that_cron_knows(rate: timedelta, fields: str) -> None:
    minute, *rest = cron_line(COMMAND, rate).split()[:5]
    expected, *others = fields.split()
    assert rest == others
    assert minute == expected or (expected == "M" and 0 <= int(minute) < 60)


@pytest.mark.parametrize(
    "rate", [timedelta(seconds=90), timedelta(minutes=7), timedelta(hours=5), timedelta(days=2), timedelta(days=90)]
)
def test_rates_that_cron_does_not_know_are_refused(rate: timedelta) -> None:
    with pytest.raises(InvalidInput, match=r"rotation\.rate") as refused:
        cron_line(COMMAND, rate)
    assert "systemd" in (refused.value.hint or "")


def test_many_machines_do_not_begin_in_one_minute() -> None:
    minutes = {cron_line(["/x", "--state", f"/srv/{n}"], timedelta(days=1)).split()[0] for n in range(50)}
    assert len(minutes) > 20


@pytest.mark.parametrize("path", ["/srv/with space/state", "/srv/100%/state", "/srv/it's/$HOME", '/srv/"q"'])
def test_the_command_reaches_the_shell_word_by_word(path: str) -> None:
    line = cron_line(["/opt/handclasp", "--state", path], timedelta(days=1), user="ops")
    assert line.split()[5] == "ops"
    # crontab(5): an unescaped % ends the line; cron takes the backslash away before the shell reads it.
    assert line.count("%") == line.count("\\%")
    assert shlex.split(line.split(" ", 6)[6].replace("\\%", "%")) == ["/opt/handclasp", "--state", path]


@pytest.mark.parametrize("path", ["/srv/two\nlines", "/srv/back\\slash"])
def test_a_path_that_cron_could_misread_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="cron cannot name it"):
        cron_line(["/opt/handclasp", "--state", path], timedelta(days=1))
