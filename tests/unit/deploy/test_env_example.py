"""`.env.example` documents every setting of every service, and nothing else."""

from pathlib import Path

from deploy.env_example import env_example

_ROOT = Path(__file__).parents[3]


def test_the_committed_example_is_what_the_settings_say():
    committed = (_ROOT / ".env.example").read_text(encoding="utf-8")
    assert committed == env_example(), "run: python -m deploy.env_example > .env.example"


def test_every_setting_says_what_it_means():
    assert "# None\n" not in env_example()
