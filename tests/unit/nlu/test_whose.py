"""Owner of an appointment, by the name that a caller gives."""

import pytest

from services.nlu.tools.clinic.whose import is_same_name


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("Annabelle", "Anna Bell"),
        ("Anna Bell", "Annabelle"),
        ("anna bell", "Anna Bell"),
        ("John Smyth", "John Smith"),
        ("Bell, Anna", "Anna Bell"),
        ("Anna", "anna"),
        ("Anna Bell", "Anna Maria Bell"),
        ("Long Pham", "Phạm Văn Long"),
        ("Văn Long", "Phạm Văn Long"),
        ("Анна Петрова", "Петрова Анна Сергеевна"),
        ("李明", "李明"),
    ],
)
def test_a_name_is_the_same_however_a_recogniser_writes_it(given: str, held: str) -> None:
    assert is_same_name(given, held)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("Erika", "Anna Bell"),
        ("Anna Ball", "Anna Wells"),
        ("Bellanna", "Anna Bell"),
        ("", "Anna Bell"),
        ("Lan", "Minh Tam"),
        ("Bell", "Anna Bell"),
        ("Anna", "Anna Bell"),
        ("Anna Anna", "Anna Bell"),
        ("Pham", "Phạm Văn Long"),
        ("Long", "Phạm Văn Long"),
        ("Phạm Văn", "Phạm Văn Long"),
        ("Phạm Văn Nam", "Phạm Văn Long"),
        ("李", "李明"),
    ],
)
def test_another_name_is_none(given: str, held: str) -> None:
    assert not is_same_name(given, held)
