"""Settings of the commands around the services; the services have their own."""

import sys
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_Folder = Annotated[Path, AfterValidator(Path.expanduser)]


class StackSettings(BaseSettings):
    """The settings of `make run-stack`: folders, ports, choices. Read once, from TONG_DAI_<FIELD> and `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="TONG_DAI_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    models_dir: _Folder = Field(
        default=Path("~/.cache/tong-dai/models"), validate_default=True, description="Folder of the embedded models."
    )
    models_source_dir: _Folder | None = Field(
        default=None, description="Folder to copy models from before any network is asked, laid out as <model>/<file>."
    )
    wheels_dir: _Folder = Field(
        default=Path("~/.cache/tong-dai/wheels"),
        validate_default=True,
        description="Folder that keeps llama-cpp-python once it is compiled.",
    )
    llama_wheels: str = Field(
        default="https://abetlen.github.io/llama-cpp-python/whl/cpu",
        description="Folder or index where a ready wheel of llama-cpp-python is looked for before one is compiled.",
    )
    llama_wheel_sha256: str = Field(
        default="", description="sha256 of ready wheels that may be installed from an index, by comma; empty: none is."
    )


def read_stack_settings() -> StackSettings:
    """Read the settings. Ends the program with one line a bad field, naming the variable, and exit status 2."""
    try:
        return StackSettings()
    except ValidationError as error:
        for fault in error.errors():
            print(f"TONG_DAI_{str(fault['loc'][0]).upper()}={fault['input']!r}: {fault['msg']}", file=sys.stderr)
        raise SystemExit(2) from None
