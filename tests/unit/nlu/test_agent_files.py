"""The agents' files hold nothing that a caller must not be told."""

import re
from pathlib import Path

import phonenumbers
import pytest
import yaml

FOLDERS = (Path("deploy/agents"), Path("tests/integration/agents"))
ROOT = Path(__file__).parents[3]
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.yaml"))
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
LONG_NUMBER = re.compile(r"\d(?:[ .()-]{0,2}\d){6,}")
REGIONS = ("VN", "US", "GB", "RU", "CN")


def personal_data(text: str) -> list[str]:
    """Telephone numbers and e-mail addresses in a text."""
    numbers = [m.raw_string for region in REGIONS for m in phonenumbers.PhoneNumberMatcher(text, region)]
    return numbers + EMAIL.findall(text) + LONG_NUMBER.findall(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples_hold_no_telephone_number_or_address_of_a_person(path: Path) -> None:
    agent = yaml.safe_load(path.read_text(encoding="utf-8"))
    examples = [example for persona in agent["personas"].values() for example in persona.get("examples", ())]
    assert personal_data("\n".join(text for example in examples for text in example.values())) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_caller_of_an_example_gives_a_number(path: Path) -> None:
    """A small model tells it to whoever asks for the last caller's number, however short it is."""
    agent = yaml.safe_load(path.read_text(encoding="utf-8"))
    said = [one["caller"] for persona in agent["personas"].values() for one in persona.get("examples", ())]
    assert [text for text in said if any(sign.isdecimal() for sign in text)] == []


@pytest.mark.parametrize("text", ["It's 0912 345 678.", "(028) 1234-5678", "john.doe@mail.com", "+1 650 253 0000"])
def test_the_search_finds_personal_data(text: str) -> None:
    assert personal_data(text)


def test_prices_and_hours_are_no_personal_data() -> None:
    assert personal_data("8 a.m. to 6 p.m., 1 triệu 500 nghìn đồng, 25 Nguyen Hue Street") == []
