"""The units are what systemd takes, whatever the paths are called, and they give the service little to do harm with."""

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from handclasp.cli.schedule.systemd_units import Plan, units
from handclasp.errors import InvalidInput

AWKWARD = [
    "/srv/handclasp",
    "/srv/with space/state",
    "/srv/100%/state",
    '/srv/"quoted"/$HOME',
    "/srv/back\\slash",
    "/srv/é",
]


def plan(**more: object) -> Plan:
    given: dict[str, object] = {
        "command": ["/bin/true", "--state", "/srv/handclasp", "schedule", "run"],
        "state": "/srv/handclasp",
        "writable": [],
        "rate": timedelta(days=1),
        "window": timedelta(minutes=15),
        "user": "daemon",
        "own_manager": False,
        **more,
    }
    return Plan(**given)  # type: ignore[arg-type]


def verified(folder: Path, written: dict[str, str]) -> str:
    """What systemd-analyze has to say; nothing is what we want to hear."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name, text in written.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in written)],
        capture_output=True,
        text=True,
        check=False,
    )
    # Other units of the machine that runs the tests are none of ours.
    return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "handclasp" in line)


@pytest.mark.parametrize("path", AWKWARD)
@pytest.mark.parametrize("own_manager", [False, True])
def test_systemd_takes_them_whatever_the_paths_are_called(path: str, own_manager: bool, tmp_path: Path) -> None:
    command = ["/bin/true", "--state", path, "schedule", "run"]
    assert verified(tmp_path, units(plan(command=command, state=path, writable=[path], own_manager=own_manager))) == ""


@pytest.mark.parametrize("name", ["with space", "100%", "$HOME", "é"])
def test_systemd_finds_a_program_whatever_its_folder_is_called(name: str, tmp_path: Path) -> None:
    program = tmp_path / name / "handclasp"
    program.parent.mkdir()
    shutil.copy("/bin/true", program)
    assert verified(tmp_path, units(plan(command=[str(program), "schedule", "run"]))) == ""
    program.unlink()
    assert "is not executable" in verified(tmp_path, units(plan(command=[str(program), "schedule", "run"])))


@pytest.mark.parametrize("name", ["it's", '"q"', "back\\slash"])
def test_a_program_that_systemd_would_not_start_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="systemd starts no program of that name"):
        units(plan(command=[f"/opt/{name}/handclasp"]))


def test_systemd_would_say_so_if_it_did_not_take_them(tmp_path: Path) -> None:
    """The check above can fail."""
    broken = {name: text.replace("Type=oneshot", "Type=never") for name, text in units(plan()).items()}
    assert "service type" in verified(tmp_path, broken)


@pytest.mark.parametrize("path", AWKWARD)
def test_the_command_reaches_the_program_word_by_word(path: str, tmp_path: Path) -> None:
    """As systemd reads it: unquoted, %% for a percent sign, $$ for a dollar."""
    text = units(plan(command=["/bin/true", "--state", path]))["handclasp-schedule.service"]
    [line] = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    written = line.partition('"--state" ')[2]
    assert written[0] == written[-1] == '"'
    read = written[1:-1].replace('\\"', '"').replace("\\\\", "\\").replace("%%", "%").replace("$$", "$")
    assert read == path


def test_a_path_that_would_break_a_line_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no unit file can name it"):
        units(plan(state="/srv/two\nUser=root"))


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (timedelta(days=1), "OnCalendar=*-*-* 00:00:00 UTC"),
        (timedelta(days=7), "OnCalendar=Mon *-*-* 00:00:00 UTC"),
        (timedelta(hours=6), "OnCalendar=*-*-* 00/6:00:00 UTC"),
        (timedelta(hours=1), "OnCalendar=*-*-* 00/1:00:00 UTC"),
        (timedelta(minutes=15), "OnCalendar=*-*-* *:00/15:00 UTC"),
        (timedelta(days=90), "OnUnitActiveSec=7776000s"),
        (timedelta(minutes=7), "OnUnitActiveSec=420s"),
    ],
)
def test_it_keeps_utc_and_makes_up_for_what_it_missed(rate: timedelta, expected: str, tmp_path: Path) -> None:
    written = units(plan(rate=rate))
    timer = written["handclasp-schedule.timer"].splitlines()
    assert expected in timer
    assert ("Persistent=true" in timer) == expected.startswith("OnCalendar")
    assert "RandomizedDelaySec=900s" in timer
    assert verified(tmp_path, written) == ""


def test_the_service_may_write_to_the_state_and_little_else() -> None:
    lines = units(plan(writable=["/mnt/audit"]))["handclasp-schedule.service"].splitlines()
    assert {
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "UMask=0077",
        "User=daemon",
    } <= set(lines)
    assert [line for line in lines if line.startswith("ReadWritePaths")] == [
        'ReadWritePaths="/srv/handclasp"',
        'ReadWritePaths="-/mnt/audit"',
    ]


def test_a_state_below_tmp_is_not_hidden_from_its_service() -> None:
    assert "PrivateTmp=yes" in units(plan())["handclasp-schedule.service"]
    assert "PrivateTmp" not in units(plan(state="/tmp/state"))["handclasp-schedule.service"]  # noqa: S108 - a name only
