"""The sizes of the model's memory are checked against each other."""

import pytest
from pydantic import ValidationError

from services.nlu.settings import NluSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_tokens": 64, "slots": 65}, "NLU_BATCH_TOKENS=64 is less than NLU_SLOTS=65"),
        ({"batch_tokens": 1024, "context_tokens": 512}, "NLU_BATCH_TOKENS=1024 is more than NLU_CONTEXT_TOKENS=512"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused_with_the_numbers(values: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NluSettings.model_validate(values)
