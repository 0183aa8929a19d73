"""A run as a table, as JUnit's XML and as JSON."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET  # only writes

from clients.conformance.kit import CheckResult, Outcome, RuleResult
from clients.conformance.rules import RULES

TITLES = {rule.number: rule.title for rule in RULES}


def table(rules: list[RuleResult]) -> str:
    """A line a rule, the failed checks of it below."""
    lines = []
    for rule in rules:
        lines.append(f"{rule.number:3}  {rule.outcome:14}  {TITLES[rule.number]} ({rule.detail})")
        failed = [one for one in rule.checks if one.outcome is Outcome.FAILED]
        lines += [f"{'':21}  - {one.check.name}: {one.detail}" for one in failed[1:]]
    counts = {outcome: sum(rule.outcome is outcome for rule in rules) for outcome in Outcome}
    lines.append("rules: " + ", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    return "\n".join(lines)


def as_json(target: str, service: str, rules: list[RuleResult]) -> dict[str, Any]:
    """The whole run, rule by rule."""
    return {
        "target": target,
        "service": service,
        "rules": [
            {
                "rule": rule.number,
                "title": TITLES[rule.number],
                "outcome": str(rule.outcome),
                "detail": rule.detail,
                "checks": [
                    {
                        "name": one.check.name,
                        "outcome": str(one.outcome),
                        "detail": one.detail,
                        "duration_s": round(one.duration_s, 3),
                    }
                    for one in rule.checks
                ],
            }
            for rule in rules
        ],
    }


def write_json(path: Path, target: str, service: str, rules: list[RuleResult]) -> None:
    """Raises OSError."""
    path.write_text(json.dumps(as_json(target, service, rules), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_junit(path: Path, service: str, rules: list[RuleResult]) -> None:
    """One test case a rule. Raises OSError."""
    suite = ET.Element("testsuite", name=f"conformance.{service}", tests=str(len(rules)))
    suite.set("failures", str(sum(rule.outcome is Outcome.FAILED for rule in rules)))
    suite.set("skipped", str(sum(rule.outcome is Outcome.NOT_APPLICABLE for rule in rules)))
    for rule in rules:
        case = ET.SubElement(suite, "testcase", classname=service, name=f"rule {rule.number}: {TITLES[rule.number]}")
        case.set("time", f"{sum(one.duration_s for one in rule.checks):.3f}")
        if rule.outcome is Outcome.FAILED:
            ET.SubElement(case, "failure", message=_printable(rule.detail)).text = _printable(_failures(rule.checks))
        elif rule.outcome is Outcome.NOT_APPLICABLE:
            ET.SubElement(case, "skipped", message=_printable(rule.detail))
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _failures(checks: tuple[CheckResult, ...]) -> str:
    return "\n".join(f"{one.check.name}: {one.detail}" for one in checks if one.outcome is Outcome.FAILED)


def _printable(text: str) -> str:
    """XML 1.0 has no place for control characters."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)
