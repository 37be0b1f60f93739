"""The systemd units: pure text. systemd.unit(5), systemd.exec(5), systemd.time(7).

The service may write to the state and nowhere else. The timer keeps UTC, so that no hour is skipped or doubled when
clocks change, and makes up for what it missed while the machine was off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from handclasp.errors import InvalidInput

NAME = "handclasp-schedule"
#: How what we wrote begins, and so what we may remove; the rest of the line names the state.
MARK = "# Written by handclasp schedule install"
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
#: "Executable name contains special characters", however they are quoted.
_NEVER_IN_A_PROGRAM = set("\"'\\")


@dataclass(frozen=True, slots=True)
class Plan:
    """`user` runs it (None: root, or the user's own manager); `writable` are the places beside the state it writes."""

    command: Sequence[str]
    state: str
    writable: Sequence[str]
    rate: timedelta
    window: timedelta
    user: str | None
    own_manager: bool


def units(plan: Plan) -> dict[str, str]:
    """File name to content. Raises InvalidInput for a path that no unit can hold."""
    return {f"{NAME}.service": _service(plan), f"{NAME}.timer": _timer(plan)}


def mark(state: str) -> str:
    """The first line: what may be replaced is what has the same."""
    return f"{MARK} for {_text(state)}"


def _service(plan: Plan) -> str:
    account = [f"User={plan.user}"] if plan.user else []
    program, *words = plan.command
    if set(program) & _NEVER_IN_A_PROGRAM:
        raise InvalidInput(f"systemd starts no program of that name: {program}", hint="install Handclasp elsewhere")
    # The program itself is no place for variables, so its $ is one.
    command = " ".join([_word(program), *(_word(word, command=True) for word in words)])
    lines = [
        mark(plan.state),
        "[Unit]",
        f"Description=Handclasp: what is due for {_text(plan.state)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={command}",
        *account,
        "UMask=0077",
        # Operations are retried for as long as [rotation] maximum_age says.
        "TimeoutStartSec=infinity",
        *_HARDENING,
    ]
    if not plan.own_manager:
        lines += [*_HARDENING_OF_THE_SYSTEM, f"ReadWritePaths={_word(plan.state)}"]
        lines += [f"ReadWritePaths={_word('-' + path)}" for path in plan.writable]
        # In a private /tmp there would be no state.
        inside_tmp = any(path.startswith(("/tmp/", "/var/tmp/")) for path in (plan.state, *plan.writable))  # noqa: S108
        lines += [] if inside_tmp else ["PrivateTmp=yes"]
    return "\n".join(lines) + "\n"


#: What a user's own manager can do too, without a namespace.
_HARDENING = [
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
]
_HARDENING_OF_THE_SYSTEM = [
    "CapabilityBoundingSet=",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=read-only",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectSystem=strict",
    "RestrictNamespaces=yes",
]


def _timer(plan: Plan) -> str:
    calendar = _calendar(int(plan.rate.total_seconds()))
    seconds = int(plan.rate.total_seconds())
    # What no calendar can say is counted from the last run, and from the start of the machine.
    when = (
        [f"OnCalendar={calendar}", "Persistent=true"] if calendar else ["OnBootSec=5min", f"OnUnitActiveSec={seconds}s"]
    )
    lines = [
        mark(plan.state),
        "[Unit]",
        f"Description=Handclasp: when to look for what is due for {_text(plan.state)}",
        "",
        "[Timer]",
        *when,
        f"RandomizedDelaySec={int(plan.window.total_seconds())}s",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def _calendar(seconds: int) -> str | None:
    if seconds == 7 * _DAY:
        return "Mon *-*-* 00:00:00 UTC"
    if seconds == _DAY:
        return "*-*-* 00:00:00 UTC"
    if seconds % _HOUR == 0 and _DAY % seconds == 0:
        return f"*-*-* 00/{seconds // _HOUR}:00:00 UTC"
    if seconds % _MINUTE == 0 and _HOUR % seconds == 0:
        return f"*-*-* *:00/{seconds // _MINUTE}:00 UTC"
    return None


def _word(text: str, *, command: bool = False) -> str:
    """One word, quoted: % begins a specifier everywhere, $ a variable in commands only."""
    quoted = _text(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted.replace("$", "$$") if command else quoted}"'


def _text(text: str) -> str:
    if not text.isprintable():
        raise InvalidInput(f"{text!r} holds what does not print: no unit file can name it")
    return text.replace("%", "%%")
