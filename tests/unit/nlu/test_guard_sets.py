"""The guard stops next to nothing that is right and lets next to nothing through that is false."""

from tests.load.guard import MOST_STOPPED, cases, guards, judge

LEAST_RIGHT_CLAUSES = 500
LEAST_FALSE_REPLIES = 200
MOST_LET_THROUGH = 0.02
FREE = "free-"  # sets that are phrased as free-writing models do
MOST_STOPPED_OF_FREE = 0.12  # of their clauses: what the guard is not yet sure of


def test_right_clauses_are_spoken_and_false_ones_are_not():
    by_agent = guards()
    judged = [judge(by_agent[case.agent], case) for case in cases()]
    free = [each for each in judged if FREE in each.case.source and each.case.is_right]
    others = [each for each in judged if FREE not in each.case.source and each.case.is_right]
    n_right = sum(each.n_clauses for each in others)
    stopped = [clause for each in others for clause in each.stopped]
    stopped_of_free = [clause for each in free for clause in each.stopped]
    false = [each for each in judged if not each.case.is_right]
    let_through = [each.case.reply for each in false if not each.stopped]
    assert n_right >= LEAST_RIGHT_CLAUSES
    assert len(false) >= LEAST_FALSE_REPLIES
    assert len(stopped) <= n_right * MOST_STOPPED, stopped
    assert len(let_through) <= len(false) * MOST_LET_THROUGH, let_through
    assert len(stopped_of_free) <= sum(each.n_clauses for each in free) * MOST_STOPPED_OF_FREE, stopped_of_free
