"""Our runs as the audit sees them: one setting a sample, or the reason why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.audit.cells import recorded
from analysis.claims import Claim

EXPERIMENTS = """\
scales:
  paper: {note: a test, seeds: [0, 1], members_per_shard: 2, segments: 1, evaluation_episodes: 1, curve_rows: 1}
experiments:
  plain:
    title: One setting
    baseline: ppo
    methods: [ppo]
    steps: {paper: {ProbeTarget-v0: 2048}}
  swept:
    title: Two cells of one method
    baseline: ppo
    methods: [ppo]
    factors: {mean: [linear, tanh]}
    steps: {paper: {ProbeTarget-v0: 2048}}
"""


@pytest.mark.parametrize(
    ("experiment", "words"),
    [("plain", "not recorded at scale paper"), ("swept", "has 2 settings of it")],
)
def test_settings_are_never_pooled(experiment: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "experiments.yaml").write_text(EXPERIMENTS, encoding="utf-8")
    claim = Claim(
        id="a", kind="mean", place="Table 1", quote="1", value="1", experiment=experiment,
        environment="ProbeTarget-v0", method="ppo",
    )  # fmt: skip
    told = recorded(folder, tmp_path / "results")(claim)
    assert isinstance(told, str)
    assert words in told
