"""Slack's incoming webhooks, and whoever takes the same JSON (Mattermost, Rocket.Chat, Discord at `/slack`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from handclasp.notice.digest import heading, lines
from handclasp.notice.port import Notice
from handclasp.notice.post import Target, post_json, target

#: https://docs.slack.dev/messaging/formatting-message-text#escaping: otherwise a subject could call for everybody.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class SlackChannel:
    to: Target
    name: str = "slack"

    def send(self, notices: Sequence[Notice]) -> None:
        post_json(self.to, {"text": text(notices)}, self.name)


def slack(url: str) -> SlackChannel:
    """Raises InvalidInput."""
    return SlackChannel(target(url, "watch.slack"))


def text(notices: Sequence[Notice]) -> str:
    shown = lines(notices) if len(notices) == 1 else [heading(notices), *(f"• {line}" for line in lines(notices))]
    return "\n".join(shown).translate(_ESCAPES)
