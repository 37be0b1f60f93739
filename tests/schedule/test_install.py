"""`schedule install` writes absolute paths and says what to run next; `remove` takes away what it wrote, no more."""

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, one_error_line
from tests.schedule.test_systemd import verified

SERVICE, TIMER = "handclasp-schedule.service", "handclasp-schedule.timer"


def test_units_are_written_readable_and_systemd_takes_them(terminal: Terminal) -> None:
    units = terminal.folder / "units"
    outcome = terminal("schedule install --systemd", units)
    assert outcome.code == 0, outcome.err
    assert outcome.out.split() == [str(units / SERVICE), str(units / TIMER)]
    assert "next: systemctl enable --now handclasp-schedule.timer" in outcome.err
    assert all((units / name).stat().st_mode & 0o777 == 0o644 for name in (SERVICE, TIMER))
    assert f'"--state" "{terminal.state}" "schedule" "run"' in (units / SERVICE).read_text()
    assert verified(units, {name: (units / name).read_text() for name in (SERVICE, TIMER)}) == ""


def test_a_relative_state_and_configuration_are_written_absolute(terminal: Terminal) -> None:
    terminal.write("settings.toml", "[rotation]\nrate = '6h'\n")
    shown = Terminal(terminal.folder, Path("state"))("--config settings.toml schedule install --dry-run --json").json
    service, timer = (each["content"] for each in shown["files"])
    assert f'"--state" "{terminal.state}" "--config" "{terminal.folder}/settings.toml" "schedule" "run"' in service
    assert "00/6:00:00 UTC" in timer


def test_a_dry_run_writes_nothing(terminal: Terminal) -> None:
    units = terminal.folder / "units"
    outcome = terminal("schedule install --dry-run --systemd", units)
    assert "[Timer]" in outcome.out
    assert not units.exists()


def test_installed_again_it_takes_the_new_rate(terminal: Terminal) -> None:
    units = terminal.folder / "units"
    terminal("schedule install --systemd", units)
    terminal.write("state/handclasp.toml", "[rotation]\nrate = '1h'\n")
    assert terminal("schedule install --systemd", units).code == 0
    assert "00/1:00:00" in (units / TIMER).read_text()


def test_another_states_schedule_and_foreign_files_stay(terminal: Terminal) -> None:
    units = terminal.folder / "units"
    terminal("schedule install --systemd", units)
    other = Terminal(terminal.folder, terminal.folder / "other")
    other.init()
    assert "is not the schedule of this state" in one_error_line(other("schedule install --systemd", units), 2)
    (units / TIMER).write_text("[Timer]\n")
    assert "is not the schedule" in one_error_line(terminal("schedule install --systemd", units), 2)
    assert "was not written by" in one_error_line(terminal("schedule remove --systemd", units), 2)
    assert (units / SERVICE).exists()


def test_remove_takes_away_what_install_wrote_and_says_what_to_run(terminal: Terminal) -> None:
    units = terminal.folder / "units"
    terminal("schedule install --systemd", units)
    assert terminal("schedule remove --dry-run --systemd", units).code == 0
    assert (units / TIMER).exists()
    outcome = terminal("schedule remove --systemd", units)
    assert "next: systemctl disable --now handclasp-schedule.timer" in outcome.err
    assert list(units.iterdir()) == []
    assert "there is no schedule here" in terminal("schedule remove --systemd", units).err


def test_the_users_own_systemd_needs_no_root(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(terminal.folder / "config"))
    outcome = terminal("schedule install --user")
    assert "next: systemctl --user enable --now handclasp-schedule.timer" in outcome.err
    text = (terminal.folder / "config" / "systemd" / "user" / SERVICE).read_text()
    assert "User=" not in text
    assert terminal("schedule show --json").json["installed"]


def test_cron_without_a_file_prints_the_line_and_with_one_writes_it(terminal: Terminal) -> None:
    outcome = terminal("schedule install --cron")
    assert outcome.out.rstrip().endswith(f"--state {terminal.state} schedule run")
    assert "crontab -e" in outcome.err
    file = terminal.folder / "cron.d" / "handclasp"
    assert terminal("schedule install --cron", file).code == 0
    assert file.read_text().splitlines()[1].split()[5] == "root"
    assert terminal("schedule remove --cron", file).code == 0
    assert not file.exists()


def test_a_rate_that_cron_cannot_say_is_an_error(terminal: Terminal) -> None:
    terminal.write("state/handclasp.toml", "[rotation]\nrate = 'rate(90 days)'\n")
    assert "cron cannot express" in one_error_line(terminal("schedule install --cron"), 2)
    assert "OnUnitActiveSec=7776000s" in terminal("schedule install --dry-run").out


def test_settings_from_the_environment_are_named_because_a_timer_does_not_see_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDCLASP_WATCH_WEBHOOK", "https://hooks.example.com/s3cret")
    outcome = terminal("schedule install --dry-run")
    assert "a timer does not see HANDCLASP_WATCH_WEBHOOK" in outcome.err
    assert "s3cret" not in outcome.err + outcome.out


def test_a_rate_too_slow_for_the_certificates_is_said(terminal: Terminal) -> None:
    assert "could end between two runs" not in terminal("schedule install --dry-run").err
    terminal.write("state/handclasp.toml", "[authority]\nclient_days = 1\n")
    assert "could end between two runs" in terminal("schedule install --dry-run").err


def test_places_outside_the_state_are_writable_for_the_service(terminal: Terminal) -> None:
    outside = terminal.folder / "out side"
    terminal.write(
        "state/handclasp.toml",
        f'truststore = "file:{outside}/truststore.pem"\n[audit]\ncheckpoint_file = "{outside}/audit/checkpoints"\n',
    )
    written = terminal("schedule install --dry-run").out
    assert f'ReadWritePaths="-{outside}"' in written
    assert f'ReadWritePaths="-{outside}/audit"' in written


def test_a_folder_nobody_may_write_to_is_one_line(terminal: Terminal) -> None:
    assert "cannot be written" in one_error_line(terminal("schedule install --systemd /proc/none"), 2)


@pytest.mark.parametrize("line", ["install --cron x --user", "remove --cron x --systemd y"])
def test_cron_and_systemd_exclude_each_other(terminal: Terminal, line: str) -> None:
    assert "--cron goes with neither" in one_error_line(terminal(f"schedule {line}"), 2)


def test_without_an_authority_there_is_nothing_to_schedule(tmp_path: Path) -> None:
    nothing = Terminal(tmp_path, tmp_path / "none")
    for verb in ("install --dry-run", "run", "show"):
        assert "there is no authority" in one_error_line(nothing(f"schedule {verb}"), 1)
