"""A webhook: one JSON document a message, its notices bounded, its text for who shows only that.

{"source": "handclasp", "text": "...", "total": 2, "notices": [{"kind": ..., "subject": ..., "threshold": ...,
 "message": ..., "ends_at": 1780000000, ...the notice's facts}]}
"""

from collections.abc import Sequence
from dataclasses import dataclass

from handclasp.notice.digest import by_urgency, heading
from handclasp.notice.port import Notice
from handclasp.notice.post import Target, post_json, target

#: Many receivers refuse a document of more than a megabyte; this many make about a fifth of one.
MOST_NOTICES = 500


@dataclass(frozen=True)
class WebhookChannel:
    to: Target
    name: str = "webhook"

    def send(self, notices: Sequence[Notice]) -> None:
        post_json(self.to, document(notices), self.name)


def webhook(url: str) -> WebhookChannel:
    """Raises InvalidInput."""
    return WebhookChannel(target(url, "watch.webhook"))


def document(notices: Sequence[Notice]) -> dict[str, object]:
    return {
        "source": "handclasp",
        "text": heading(notices),
        "total": len(notices),
        "notices": [_entry(notice) for notice in by_urgency(notices)[:MOST_NOTICES]],
    }


def _entry(notice: Notice) -> dict[str, object]:
    return {
        **notice.facts,
        "kind": notice.kind,
        "subject": notice.subject,
        "threshold": notice.threshold,
        "message": notice.message,
        "ends_at": notice.ends_at,
    }
