"""Profiles that take each other's place agree on when a record is valid."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PROFILES = Path(__file__).parents[1] / "profiles"
VALIDITY = (
    "keep-going",
    "rerun-triggers",
    "ignore-incomplete",
    "keep-incomplete",
    "scheduler",
    "quiet",
)


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_what_is_trained_again_does_not_depend_on_the_profile(name: str) -> None:
    default, other = (
        yaml.safe_load((PROFILES / each / "config.yaml").read_text(encoding="utf-8"))
        for each in ("default", name)
    )
    assert {key: other.get(key) for key in VALIDITY} == {key: default[key] for key in VALIDITY}
