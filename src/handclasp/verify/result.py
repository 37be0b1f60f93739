"""What a check found: its verdict, in words for people and in numbers for programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Skipped is not passed: nothing was shown."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`milliseconds`: what was measured, by name."""

    verdict: Verdict
    seen: str
    milliseconds: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table: the check by the name scripts know it by, what was expected and what was seen."""

    check: str
    title: str
    expected: str
    seen: str
    verdict: Verdict
    milliseconds: tuple[tuple[str, float], ...] = ()


def passed(seen: str) -> Judgement:
    return Judgement(Verdict.PASSED, seen)


def failed(seen: str) -> Judgement:
    return Judgement(Verdict.FAILED, seen)


def skipped(reason: str) -> Judgement:
    return Judgement(Verdict.SKIPPED, reason)


def all_passed(results: Iterable[Result]) -> bool:
    """True when at least one check passed and none failed: the exit code's question."""
    verdicts = {result.verdict for result in results}
    return Verdict.PASSED in verdicts and Verdict.FAILED not in verdicts
