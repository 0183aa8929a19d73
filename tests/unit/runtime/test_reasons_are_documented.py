"""The lists of protos/README.md hold what the services really send."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "protos" / "README.md").read_text(encoding="utf-8")
REASON = re.compile(r"""(?:\breason = |TurnFailed\(\s*|_bad\(\s*|reason=)"([A-Z]+(?:_[A-Z]+)*)\"""")
FEATURES = re.compile(r"^(?:FEATURES|    features) = \(([^)]*)\)", re.MULTILINE)


def found(pattern: re.Pattern[str]) -> list[str]:
    """The captures of a pattern in the sources of the services."""
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "services").rglob("*.py"))]
    return [capture for source in sources for capture in pattern.findall(source)]


def test_every_reason_a_service_gives_is_in_the_list() -> None:
    reasons = set(found(REASON))
    assert len(reasons) > 30, "the pattern still finds them"
    assert {reason for reason in reasons if f"`{reason}`" not in DOCUMENT} == set()


def test_every_feature_a_server_lists_is_explained() -> None:
    features = {name for listed in found(FEATURES) for name in re.findall(r'"(\w+)"', listed)}
    assert len(features) > 15, "the pattern still finds them"
    assert {feature for feature in features if f"`{feature}`" not in DOCUMENT} == set()
