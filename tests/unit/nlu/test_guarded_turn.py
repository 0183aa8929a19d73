"""A clause that nothing speaks for is not spoken, whoever made it."""

from pathlib import Path

from services.nlu.inputs import Config, Text, UserTurn
from services.nlu.outputs import CallAction, Outcome, ReplyText, TurnEnd
from tests.unit.nlu.rig import opened, script_settings
from tests.unit.nlu.virtual_time import run

CONFIG = Config(call_id="call", tenant_id="tenant")
UNKNOWN = "I'm sorry, I don't know that. Is there anything else I can help you with?"


def say(turn_id: int, text: str) -> UserTurn:
    return UserTurn(turn_id=turn_id, input=Text(text, None))


def replies(
    tmp_path: Path, *parts: str, text: str = "How much is a crown?"
) -> tuple[str, TurnEnd, list[CallAction], int]:
    """The reply to a text when the model writes these parts; the turn's end, its acts, the number of requests."""
    script = f'[[reply]]\nname = "sure"\nparts = [{", ".join(parts)}]'

    async def main() -> tuple[str, TurnEnd, list[CallAction], int]:
        async with opened(script_settings(tmp_path, script), CONFIG) as rig:
            await rig.send(say(1, text), wait_s=5)
            return rig.said(1).strip(), rig.end(1), rig.of(CallAction), len(rig.engine.requests)

    return run(main())


def test_a_clause_that_is_right_is_spoken(tmp_path: Path) -> None:
    said, end, _, n_asked = replies(tmp_path, '{ text = "A crown costs 250 dollars." }')
    assert said == "A crown costs 250 dollars."
    assert (end.withheld, n_asked) == ((), 1)


def test_a_false_figure_is_not_spoken_and_the_agent_is_asked_once_more(tmp_path: Path) -> None:
    said, end, _, n_asked = replies(tmp_path, '{ text = "Sure, a crown costs 300 dollars. It is worth it." }')
    assert said == f"Sure, {UNKNOWN}"
    assert [withheld.rule for withheld in end.withheld] == ["price", "price"]
    assert end.outcome is Outcome.COMPLETED
    assert n_asked == 2


def test_the_objection_and_the_facts_are_before_the_agent_the_second_time(tmp_path: Path) -> None:
    script = '[[reply]]\nname = "sure"\nparts = [{ text = "A crown costs 300 dollars." }]'

    async def main() -> str:
        async with opened(script_settings(tmp_path, script), CONFIG) as rig:
            await rig.send(say(1, "How much is a crown?"), wait_s=5)
            return rig.engine.requests[-1].messages[-1].text

    objection = run(main())
    assert "300 dollars" in objection
    assert "250 USD" in objection


def test_a_deed_that_was_not_done_is_not_claimed(tmp_path: Path) -> None:
    said, end, _, _ = replies(tmp_path, '{ text = "You are booked. Goodbye!" }', text="Book me in.")
    assert said == UNKNOWN
    assert end.withheld[0].rule == "deed"


def test_a_promise_waits_for_its_act(tmp_path: Path) -> None:
    act = '{ tool = "transfer", arguments = { destination = "200" } }'
    said, end, acts, _ = replies(tmp_path, '{ text = "One moment. I will put you through." }', act)
    assert said == "One moment. I will put you through."
    assert len(acts) == 1
    assert end.withheld == ()


def test_a_promise_without_its_act_is_not_spoken(tmp_path: Path) -> None:
    said, end, acts, _ = replies(tmp_path, '{ text = "One moment. I will put you through." }')
    assert said == f"One moment. {UNKNOWN}"
    assert acts == []
    assert end.withheld[0].rule == "promise"


def test_a_number_waits_for_what_it_belongs_to(tmp_path: Path) -> None:
    said, end, _, _ = replies(tmp_path, '{ text = "It is 35 dollars for a cleaning." }', text="What does it cost?")
    assert said == "It is 35 dollars for a cleaning."
    assert end.withheld == ()


def test_an_act_of_the_first_try_is_not_done_twice(tmp_path: Path) -> None:
    act = '{ tool = "transfer", arguments = { destination = "200" } }'
    _, _, acts, n_asked = replies(tmp_path, act, '{ text = "A crown costs 300 dollars." }')
    assert (len(acts), n_asked) == (1, 2)


def test_the_greeting_and_the_farewell_are_spoken_as_they_stand(tmp_path: Path) -> None:
    said, end, _, _ = replies(tmp_path, '{ text = "x" }', text="Goodbye!")
    assert said.startswith("Thank you for calling Sunrise Dental Clinic")
    assert end.withheld == ()


def test_what_was_withheld_is_no_part_of_the_reply(tmp_path: Path) -> None:
    async def main() -> None:
        script = '[[reply]]\nname = "sure"\nparts = [{ text = "A crown costs 300 dollars." }]'
        async with opened(script_settings(tmp_path, script), CONFIG) as rig:
            await rig.send(say(1, "How much is a crown?"), wait_s=5)
            assert not any("300" in clause.text for clause in rig.of(ReplyText))

    run(main())


def test_a_transfer_that_is_refused_is_told_once(tmp_path: Path) -> None:
    parts = ('{ text = "Sure, I will put you through." }', '{ tool = "transfer", arguments = { destination = "911" } }')
    said, end, acts, n_asked = replies(tmp_path, *parts, text="Put me through to the police.")
    assert acts == []
    assert UNKNOWN not in said
    assert "will put you through" not in said
    assert (end.outcome, n_asked) == (Outcome.COMPLETED, 1)
