"""The guard stops next to nothing that is right and lets next to nothing through that is false."""

from tests.load.guard import MOST_STOPPED, cases, guards, judge

LEAST_RIGHT_CLAUSES = 500
LEAST_FALSE_REPLIES = 200
MOST_LET_THROUGH = 0.011


def test_right_clauses_are_spoken_and_false_ones_are_not():
    by_agent = guards()
    judged = [judge(by_agent[case.agent], case) for case in cases()]
    right = [each for each in judged if each.case.is_right]
    n_right = sum(each.n_clauses for each in right)
    stopped = [clause for each in right for clause in each.stopped]
    false = [each for each in judged if not each.case.is_right]
    let_through = [each.case.reply for each in false if not each.stopped]
    assert n_right >= LEAST_RIGHT_CLAUSES
    assert len(false) >= LEAST_FALSE_REPLIES
    assert len(stopped) <= n_right * MOST_STOPPED, stopped
    assert len(let_through) <= len(false) * MOST_LET_THROUGH, let_through
