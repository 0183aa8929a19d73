"""The line that sends back what it hears."""

import numpy as np

from clients.phone.echo_path import EchoPath


def test_what_was_heard_comes_back_later_and_fainter():
    path = EchoPath(gain_db=-6.0, delay_ms=10)
    path.feed(np.full(80, 10000, np.int16))
    returned = path.mixed_into(np.zeros(160, np.int16))
    assert not returned[:80].any()
    assert (abs(returned[80:] - 5011) <= 1).all()


def test_it_lies_under_what_is_said_and_does_not_overflow():
    path = EchoPath(gain_db=0.0, delay_ms=0)
    path.feed(np.full(4, 30000, np.int16))
    assert path.mixed_into(np.full(6, 30000, np.int16)).tolist() == [32767] * 4 + [30000] * 2


def test_the_delay_is_built_up_again_after_a_pause():
    path = EchoPath(gain_db=0.0, delay_ms=1)
    for _ in range(2):
        path.feed(np.full(8, 7, np.int16))
        assert path.mixed_into(np.zeros(20, np.int16)).tolist() == [0] * 8 + [7] * 8 + [0] * 4
