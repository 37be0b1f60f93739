"""What a timer has to call: absolute, so that it means the same in whatever folder it is started."""

import os
import sys
import sysconfig
from pathlib import Path

from handclasp.cli.context import Session


def schedule_command(session: Session) -> list[str]:
    """The words of `handclasp ... schedule run`, of the installation that runs now."""
    script = Path(sysconfig.get_path("scripts")) / "handclasp"
    # -P: the folder it is started in is not one to import from.
    program = [str(script)] if os.access(script, os.X_OK) else [sys.executable, "-P", "-m", "handclasp"]
    config = ["--config", str(session.config.absolute())] if session.config else []
    return [*program, "--state", str(session.state.absolute()), *config, "schedule", "run"]


def unseen_variables() -> list[str]:
    """Settings in the environment of this command, which a timer's has not; --state is written out."""
    return sorted(name for name in os.environ if name.startswith("HANDCLASP_") and name not in _NO_SETTINGS)


_NO_SETTINGS = {"HANDCLASP_STATE", "HANDCLASP_DEBUG"}
