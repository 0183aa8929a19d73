"""The account of a call in README.md, held against the table of floors: which move leads from which floor to which."""

import re
from pathlib import Path

import pytest

from services.call_gateway.conversation.floor import RULES, Covered, Effect, Floor, Move

ROOT = Path(__file__).parents[4]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("### The files a caller's voice passes through")[2].partition("\n## ")[0]
FROM_ALL_FLOORS = {Move.CLOSED, Move.PUT_ON_HOLD}  # told once, below the table


def cells_of(floor: Floor) -> list[str]:
    """Return the cells of a floor's row: its name, what the caller hears, what happens, the next floors."""
    rows = [line.strip("| ").split(" | ") for line in SECTION.splitlines() if line.startswith(f"| {floor.name} |")]
    assert len(rows) == 1, floor
    return [*rows[0], ""][:4]


def next_floors(cell: str) -> dict[Move, str]:
    """Read "PAUSED: why (MOVE); the floor before: why (MOVE)" as the next floor of each move."""
    parts = [part.partition(":") for part in cell.strip("| ").split("; ") if ":" in part]
    return {Move[name]: floor for floor, _, why in parts for name in re.findall(r"\b[A-Z]+_[A-Z_]+\b", why)}


@pytest.mark.parametrize("floor", Floor)
def test_a_row_names_each_move_that_leaves_its_floor(floor: Floor) -> None:
    told = next_floors(cells_of(floor)[3])
    rules = {move: rule.after for (before, move), rule in RULES.items() if before is floor is not rule.after}
    assert told == {
        move: "the floor before" if isinstance(after, Covered) else after.name
        for move, after in rules.items()
        if move not in FROM_ALL_FLOORS
    }


@pytest.mark.parametrize(
    ("move", "excepted"),
    [(Move.CLOSED, {Floor.CLOSING}), (Move.PUT_ON_HOLD, {Floor.HELD, Floor.CLOSING})],
    ids=["closed", "put_on_hold"],
)
def test_a_move_the_readme_gives_to_all_floors_leaves_all_but_those_named(move: Move, excepted: set[Floor]) -> None:
    assert {floor for floor in Floor if (floor, move) in RULES} == set(Floor) - excepted


@pytest.mark.parametrize("floor", Floor)
def test_an_effect_named_in_a_row_leads_to_its_floor_or_stays_there(floor: Floor) -> None:
    named = {Effect[name] for name in re.findall(r"\(([A-Z_]+)\)", cells_of(floor)[2])}
    possible = {rule.effect for (before, _), rule in RULES.items() if floor in (before, rule.after)}
    assert named <= possible


def test_every_effect_is_told_by_its_name_or_by_a_move_that_leaves_a_floor() -> None:
    named = {Effect[name] for floor in Floor for name in re.findall(r"\(([A-Z_]+)\)", cells_of(floor)[2])}
    moves = {move for floor in Floor for move in next_floors(cells_of(floor)[3])} | FROM_ALL_FLOORS
    told = {rule.effect for (before, move), rule in RULES.items() if move in moves and before is not rule.after}
    assert set(Effect) - named - told == set()


@pytest.mark.parametrize("floor", Floor)
def test_a_row_says_what_the_caller_hears(floor: Floor) -> None:
    assert re.search("silence|nothing|words|reply", cells_of(floor)[1])


def test_each_file_of_the_path_is_there() -> None:
    named = [
        name for line in SECTION.splitlines() if re.match(r"\d\. |   ", line) for name in re.findall("`(.+?)`", line)
    ]
    files = [name for name in named if "/" in name or name == "session"]
    assert len(files) >= 15
    assert [name for name in files if not (ROOT / "services/call_gateway" / f"{name}.py").is_file()] == []
