"""Plans, cells and shards: what a hash covers, how members are grouped, and what a plan refuses."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from algorithms.cell import (
    Cell,
    Member,
    Plan,
    Protocol,
    Shard,
    load_plan,
    make_cell,
    require_scale,
)
from algorithms.identity import content_hash
from algorithms.settings import METHODS, on_policy
from algorithms.specification import SpecificationError
from envs.registry import ENVIRONMENTS

PLAN: dict[str, Any] = {
    "scales": {
        "quick": {
            "note": "five seeds",
            "seeds": [0, 10, 42, 77, 123],
            "members_per_shard": 2,
            "segments": 4,
            "evaluation_episodes": 10,
            "curve_rows": 40,
        }
    },
    "experiments": {
        "discrete": {
            "title": "A study",
            "baseline": "ppo",
            "methods": ["ppo", "prefpoe"],
            "steps": {"quick": {"CartPole-v1": 4096, "FrozenLake-v1": 8192}},
            "settings": {"normalize_observations": False, "normalize_rewards": False},
        }
    },
}
QUICK, STUDY = ("scales", "quick"), ("experiments", "discrete")


def with_value(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """PLAN with one value set."""
    data = copy.deepcopy(PLAN)
    place = data
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    return data


def written(folder: Path, data: dict[str, Any]) -> Path:
    (folder / "experiments.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return folder


# Identity


def shard(
    method: str = "prefpoe",
    environment: str = "HalfCheetah-v4",
    steps: int = 4096,
    segments: int = 2,
    episodes: int = 2,
    rows: int = 10,
    weights: bool = True,
    every: int | None = None,
    snapshots: int = 0,
    members: tuple[Member, ...] = (Member(seed=0), Member(seed=10)),
    **overrides: Any,
) -> Shard:
    protocol = Protocol(segments, episodes, rows, weights, every, snapshots)
    return Shard(make_cell(method, environment, overrides, steps, protocol), members)


def test_golden_hash() -> None:
    """This record's path; a change here makes every recorded result stale."""
    content = {
        "environment": "HalfCheetah-v4",
        "method": "prefpoe",
        "version": 1,
        "settings": {
            "learning_rate": 0.0003,
            "gamma": 0.99,
            "gae_lambda": 0.95,
            "clip": 0.2,
            "value_coefficient": 0.5,
            "entropy_coefficient": 0.0,
            "max_grad_norm": 0.5,
            "adam_epsilon": 1e-05,
            "environments": 1,
            "rollout_steps": 2048,
            "minibatches": 32,
            "epochs": 10,
            "hidden": [64, 64],
            "backbone": "separate",
            "mean": "linear",
            "initial_log_std": 0.0,
            "anneal_learning_rate": True,
            "anneal_clip": False,
            "clip_value_loss": True,
            "bootstrap_truncation": False,
            "normalize_observations": True,
            "normalize_rewards": True,
            "beta_1": 0.2,
            "alpha": 0.2,
            "fusion_weight": 0.4,
            "consistency_coefficient": 0.063,
            "preference_coefficient": 0.032,
            "fusion": "product",
            "std": "head",
            "std_range": None,
            "precision_epsilon": 0.0,
            "entropy_sign": -1,
        },
        "steps": 4096,
        "segments": 2,
        "evaluation_episodes": 2,
        "evaluation_copies": 10,
        "curve_rows": 10,
        "members": [{"seed": 0, "setting": {}}, {"seed": 10, "setting": {}}],
    }
    ours = shard()
    assert ours.content() == content
    assert ours.hash == "c7cd296157d4"
    assert ours.name == "HalfCheetah-v4/prefpoe-c7cd296157d4"


def test_hash_is_the_beginning_of_a_sha_256() -> None:
    text = '{"a":[1,0.5,null],"b":{"c":"\\u00e9"}}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:12]
    assert content_hash({"b": {"c": "é"}, "a": [1, 0.5, None]}) == expected
    assert content_hash({"a": [1, 0.5, None], "b": {"c": "é"}}) == expected


def test_hash_survives_json() -> None:
    ours = shard(members=(Member(seed=3, setting={"clip": 0.1, "alpha": 1e-3}),))
    assert content_hash(json.loads(json.dumps(ours.content()))) == ours.hash


VARIANTS: dict[str, dict[str, Any]] = {
    "method": {"method": "prefpoe_eq16"},
    "environment": {"environment": "Ant-v4"},
    "steps": {"steps": 6144},
    "segments": {"segments": 1},
    "evaluation_episodes": {"episodes": 3},
    "curve_rows": {"rows": 11},
    "no weights": {"weights": False},
    "evaluation_every": {"every": 2048},
    "snapshots": {"snapshots": 2},
    "a per-member setting": {"alpha": 0.3},
    "a shared setting": {"epochs": 11},
    "a later per-member setting": {"advantage_noise": 0.5},
    "a later shared setting": {"detach_fused": True},
    "a seed": {"members": (Member(seed=0), Member(seed=11))},
    "the order of seeds": {"members": (Member(seed=10), Member(seed=0))},
    "a member less": {"members": (Member(seed=0),)},
    "a member's setting": {"members": (Member(seed=0, setting={"alpha": 0.3}), Member(seed=10))},
}


@pytest.mark.parametrize("change", list(VARIANTS))
def test_hash_changes_with_each_part_of_the_identity(change: str) -> None:
    assert shard(**VARIANTS[change]).hash != shard().hash


def test_every_identity_field_is_covered_by_a_variant() -> None:
    base = shard().content()
    changed = {
        field
        for change in VARIANTS.values()
        for field, value in shard(**change).content().items()
        if value != base.get(field)
    }
    later = {"weights", "evaluation_every", "snapshots"}
    assert changed | {"version", "evaluation_copies"} == set(base) | later


LATER: dict[str, tuple[Any, Any]] = {
    "advantage_normalization": ("minibatch", "batch"),
    "advantage_noise": (0.0, 1.0),
    "detach_fused": (False, True),
    "detach_encoder": (False, True),
    "fusion_schedule": ("constant", "falling"),
}


@pytest.mark.parametrize("name", list(LATER))
def test_a_later_setting_counts_only_away_from_its_default(name: str) -> None:
    default, other = LATER[name]
    assert shard(**{name: default}).content() == shard().content()
    assert shard(**{name: default}).hash == "c7cd296157d4"
    content = shard().content()
    content["settings"][name] = other
    assert shard(**{name: other}).content() == content
    assert shard(**{name: other}).hash != "c7cd296157d4"


def test_later_settings_are_those_that_no_content_names() -> None:
    settings = shard().cell.settings
    assert set(type(settings).model_fields) - set(settings.content()) == set(LATER)


def test_weights_count_only_where_they_are_left_out() -> None:
    assert shard(weights=False).content() == shard().content() | {"weights": False}


def test_evaluations_and_snapshots_during_training_count_only_where_they_are_asked_for() -> None:
    asked = {"evaluation_every": 2048, "snapshots": 2}
    assert shard(every=2048, snapshots=2).content() == shard().content() | asked


@pytest.mark.parametrize(
    ("iterations", "segments", "snapshots", "boundaries"),
    [
        (20, 4, 0, ()),
        (20, 4, 2, (0, 4)),
        (20, 4, 3, (0, 2, 4)),
        (20, 4, 5, (0, 1, 2, 3, 4)),
        (20, 10, 4, (0, 3, 7, 10)),
        (2, 4, 5, (0, 1, 2)),  # two iterations fill two segments: each end is kept once
    ],
)
def test_snapshots_are_of_evenly_spaced_ends_of_segments(
    iterations: int, segments: int, snapshots: int, boundaries: tuple[int, ...]
) -> None:
    cell = shard(steps=2048 * iterations, segments=segments, snapshots=snapshots).cell
    assert cell.snapshot_boundaries == boundaries


@pytest.mark.parametrize("snapshots", [1, 6])
def test_snapshots_that_segments_cannot_give_are_refused(snapshots: int) -> None:
    words = f"snapshots = {snapshots} with 4 segments; allowed: 0, or from 2"
    with pytest.raises(ValidationError, match=words):
        Protocol(4, 10, 40, snapshots=snapshots)


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["ppo-38cece8e5496", "ppo_matched-a2139dad5d71"])
def test_committed_records_are_still_those_of_the_plan(name: str) -> None:
    path = ROOT / "results/paper/prefpoe/records/HalfCheetah-v4" / name / "record.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))["shard"]
    shards = load_plan(ROOT / "paper_figures/prefpoe").all_shards("paper")
    planned = shards[name.rpartition("-")[2]]
    assert planned.name == f"HalfCheetah-v4/{name}"
    assert planned.content() == recorded


def test_hash_changes_with_the_methods_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shard().hash
    monkeypatch.setitem(METHODS, "prefpoe", replace(METHODS["prefpoe"], version=2))
    assert shard().hash != before


def test_hash_changes_with_the_number_of_evaluation_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = shard().hash
    monkeypatch.setattr("algorithms.cell.EVALUATION_COPIES", 9)
    assert shard().hash != before


def test_hash_does_not_change_with_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shard().hash
    monkeypatch.setitem(METHODS, "prefpoe", replace(METHODS["prefpoe"], label="Something else"))
    assert shard().hash == before


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return value


def hashes(folder: Path, data: dict[str, Any], scale: str = "quick") -> set[str]:
    return set(load_plan(written(folder, data)).all_shards(scale))


def test_hashes_do_not_depend_on_words_or_order_in_the_file(tmp_path: Path) -> None:
    """Notes, titles, names of experiments, key order, and settings that repeat the default or are text."""
    base = hashes(tmp_path, PLAN)
    assert hashes(tmp_path, reversed_keys(PLAN)) == base
    assert hashes(tmp_path, with_value((*QUICK, "note"), "other words")) == base
    assert hashes(tmp_path, with_value((*STUDY, "title"), "Another title")) == base
    assert hashes(tmp_path, with_value((*STUDY, "settings", "gamma"), 0.99)) == base
    assert hashes(tmp_path, with_value((*STUDY, "settings", "learning_rate"), "3e-4")) == base
    renamed = {**PLAN, "experiments": {"renamed": PLAN["experiments"]["discrete"]}}
    assert hashes(tmp_path, renamed) == base
    other_scale = copy.deepcopy(PLAN)
    other_scale["scales"]["paper"] = other_scale["scales"].pop("quick")
    steps = other_scale["experiments"]["discrete"]["steps"]
    steps["paper"] = steps.pop("quick")
    assert hashes(tmp_path, other_scale, "paper") == base


def test_experiments_share_cells_that_are_alike(tmp_path: Path) -> None:
    """A second study repeats PPO on CartPole and adds one cell: 3 shards more, not 6."""
    data = copy.deepcopy(PLAN)
    data["experiments"]["second"] = copy.deepcopy(PLAN["experiments"]["discrete"])
    data["experiments"]["second"] |= {
        "methods": ["ppo", "linear_fusion"],
        "steps": {"quick": {"CartPole-v1": 4096}},
    }
    plan = load_plan(written(tmp_path, data))
    first, second = (plan.shards("quick", name) for name in ("discrete", "second"))
    assert (len(first), len(second), len(plan.all_shards("quick"))) == (12, 6, 15)
    assert {s.hash for s in first} & {s.hash for s in second} == {s.hash for s in second[:3]}


# Cells and shards of a plan


def test_members_are_grouped_in_order(tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path, PLAN))
    shards = plan.shards("quick", "discrete")
    cells = [("CartPole-v1", 4096), ("FrozenLake-v1", 8192)]
    expected = [
        (method, environment, steps, seeds)
        for environment, steps in cells
        for method in ("ppo", "prefpoe")
        for seeds in ((0, 10), (42, 77), (123,))
    ]
    found = [
        (s.cell.method, s.cell.environment, s.cell.steps, tuple(m.seed for m in s.members))
        for s in shards
    ]
    assert found == expected
    assert {s.cell.protocol for s in shards} == {Protocol(4, 10, 40)}
    assert all(not s.cell.settings.normalize_rewards for s in shards)


@pytest.mark.parametrize(("size", "groups"), [(1, [1] * 5), (4, [4, 1]), (5, [5]), (9, [5])])
def test_group_sizes(size: int, groups: list[int], tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path, with_value((*QUICK, "members_per_shard"), size)))
    first = plan.cells("quick", "discrete")[0]
    found = [len(s.members) for s in plan.shards("quick", "discrete") if s.cell == first]
    assert found == groups


def test_a_grid_is_its_product_with_the_seeds(tmp_path: Path) -> None:
    data = with_value((*STUDY, "grid"), {"clip": [0.1, 0.2], "learning_rate": [0.001, 0.01, 0.1]})
    data["scales"]["quick"] |= {"seeds": [4, 5], "members_per_shard": 12}
    plan = load_plan(written(tmp_path, data))
    shards = plan.shards("quick", "discrete")
    assert [(s.cell.method, s.cell.environment, len(s.members)) for s in shards] == [
        (method, environment, 12)
        for environment in ("CartPole-v1", "FrozenLake-v1")
        for method in ("ppo", "prefpoe")
    ]
    expected = [
        (clip, rate, seed) for clip in (0.1, 0.2) for rate in (0.001, 0.01, 0.1) for seed in (4, 5)
    ]
    found = [(m.setting["clip"], m.setting["learning_rate"], m.seed) for m in shards[0].members]
    assert found == expected


FACTORIAL = {
    "backbone": ["separate", "shared"],
    "hidden": [[64, 64], [8]],
    "initial_log_std": [0.0, -1.0],
}


def factorial(folder: Path, **changes: Any) -> Plan:
    """PLAN's study on CartPole alone, with those three factors, beside the study as it is."""
    data = copy.deepcopy(PLAN)
    study = copy.deepcopy(data["experiments"]["discrete"])
    study |= {"factors": FACTORIAL, "steps": {"quick": {"CartPole-v1": 4096}}, **changes}
    data["experiments"]["factorial"] = study
    return load_plan(written(folder, data))


def test_every_combination_of_factors_is_a_cell(tmp_path: Path) -> None:
    plan = factorial(tmp_path)
    levels = [
        {"backbone": backbone, "hidden": hidden, "initial_log_std": log_std}
        for backbone in ("separate", "shared")
        for hidden in ((64, 64), (8,))
        for log_std in (0.0, -1.0)
    ]
    cells = plan.cells("quick", "factorial")
    assert [(c.method, dict(c.levels)) for c in cells] == [
        (method, combination) for method in ("ppo", "prefpoe") for combination in levels
    ]
    for c in cells:
        assert {name: getattr(c.settings, name) for name in FACTORIAL} == c.levels
        assert not c.settings.normalize_rewards
    # 16 cells of 5 seeds, two a shard: 48 shards, no two of them alike.
    shards = plan.shards("quick", "factorial")
    assert [len(s.members) for s in shards] == [2, 2, 1] * 16
    assert len({s.hash for s in shards}) == 48


def test_a_combination_that_repeats_a_plain_cell_is_that_cell(tmp_path: Path) -> None:
    plan = factorial(tmp_path)
    plain = {s.hash for s in plan.shards("quick", "discrete")}
    shared = [s for s in plan.shards("quick", "factorial") if s.hash in plain]
    assert [s.cell.method for s in shared] == ["ppo"] * 3 + ["prefpoe"] * 3
    for s in shared:
        assert s.cell.levels == {"backbone": "separate", "hidden": (64, 64), "initial_log_std": 0}
        assert s.cell.environment == "CartPole-v1"
    assert len(plan.all_shards("quick")) == 12 + 48 - 6


def test_levels_do_not_count_beside_the_settings_that_they_are() -> None:
    protocol = Protocol(4, 10, 40)
    by_level = make_cell("ppo", "CartPole-v1", {}, 4096, protocol, {"clip": 0.3})
    by_setting = make_cell("ppo", "CartPole-v1", {"clip": 0.3}, 4096, protocol)
    assert by_level.content() == by_setting.content()
    assert by_level.settings.clip == 0.3
    assert (by_level.levels, by_setting.levels) == ({"clip": 0.3}, {})


def test_a_member_is_told_from_others_by_levels_and_grid(tmp_path: Path) -> None:
    plan = factorial(tmp_path, grid={"clip": [0.1, 0.3]}, factors={"mean": ["linear", "tanh"]})
    shards = plan.shards("quick", "factorial")
    found = [
        (s.cell.method, m.seed, s.settings_of(m))
        for s in shards
        for m in s.members
        if m.seed in (0, 123)
    ]
    assert found == [
        (method, seed, {"mean": mean, "clip": clip})
        for method in ("ppo", "prefpoe")
        for mean in ("linear", "tanh")
        for clip in (0.1, 0.3)
        for seed in (0, 123)
    ]


def test_an_amendment_is_of_one_experiment_at_one_scale(tmp_path: Path) -> None:
    data = copy.deepcopy(PLAN)
    data["scales"]["paper"] = data["scales"]["quick"]
    amended = copy.deepcopy(data["experiments"]["discrete"])
    amended["steps"]["paper"] = amended["steps"]["quick"]
    amended["amendments"] = {
        "paper": {"seeds": [7, 8, 9], "members_per_shard": 3, "curve_rows": 7, "weights": False}
    }
    data["experiments"]["amended"] = amended
    plan = load_plan(written(tmp_path, data))
    groups = {
        scale: [tuple(m.seed for m in s.members) for s in plan.shards(scale, "amended")]
        for scale in ("quick", "paper")
    }
    assert groups["paper"] == [(7, 8, 9)] * 4
    assert groups["quick"] == [(0, 10), (42, 77), (123,)] * 4
    # Segments are no part of an amendment.
    assert {c.protocol for c in plan.cells("paper", "amended")} == {Protocol(4, 10, 7, False)}
    assert {c.protocol for c in plan.cells("quick", "amended")} == {Protocol(4, 10, 40, True)}
    assert plan.scale_of("paper", "amended").seeds == (7, 8, 9)
    assert plan.scales["paper"].seeds == (0, 10, 42, 77, 123)
    same = [{s.hash for s in plan.shards("quick", name)} for name in ("amended", "discrete")]
    assert same[0] == same[1]


def test_a_scale_may_sweep_a_grid_of_its_own(tmp_path: Path) -> None:
    data = copy.deepcopy(PLAN)
    swept = data["experiments"]["discrete"] | {"grid": {"clip": [0.1, 0.2, 0.3]}}
    swept["steps"] = {scale: swept["steps"]["quick"] for scale in ("quick", "paper")}
    swept["amendments"] = {"paper": {"grid": {"gamma": [0.9, 0.99]}}}
    data["scales"]["paper"] = data["scales"]["quick"]
    data["experiments"]["discrete"] = swept
    plan = load_plan(written(tmp_path, data))
    settings = {
        scale: {tuple(m.setting.items()) for s in plan.shards(scale, "discrete") for m in s.members}
        for scale in ("quick", "paper")
    }
    assert settings["quick"] == {(("clip", clip),) for clip in (0.1, 0.2, 0.3)}
    assert settings["paper"] == {(("gamma", gamma),) for gamma in (0.9, 0.99)}


def test_a_scale_may_have_settings_of_its_own(tmp_path: Path) -> None:
    """They go over the experiment's, and leave other scales as they were."""
    data = copy.deepcopy(PLAN)
    own = data["experiments"]["discrete"] | {"settings": {"clip": 0.3, "gamma": 0.9}}
    own["steps"] = {scale: own["steps"]["quick"] for scale in ("quick", "paper")}
    own["amendments"] = {"paper": {"settings": {"gamma": 0.95, "epochs": 2}}}
    data["scales"]["paper"] = data["scales"]["quick"]
    data["experiments"]["discrete"] = own
    plan = load_plan(written(tmp_path, data))
    found = {
        scale: {
            (s.clip, s.gamma, s.epochs)
            for s in (on_policy(cell.settings) for cell in plan.cells(scale, "discrete"))
        }
        for scale in ("quick", "paper")
    }
    assert found == {"quick": {(0.3, 0.9, 10)}, "paper": {(0.3, 0.95, 2)}}


@pytest.mark.parametrize(
    ("key", "value", "protocol"),
    [
        ("evaluation_episodes", 3, Protocol(4, 3, 40)),
        ("curve_rows", 7, Protocol(4, 10, 7)),
        ("weights", False, Protocol(4, 10, 40, False)),
        ("evaluation_every", 512, Protocol(4, 10, 40, True, 512)),
        ("snapshots", 5, Protocol(4, 10, 40, snapshots=5)),
    ],
)
def test_an_amendment_leaves_what_it_does_not_name(
    key: str, value: Any, protocol: Protocol, tmp_path: Path
) -> None:
    data = with_value((*STUDY, "amendments"), {"quick": {key: value}})
    plan = load_plan(written(tmp_path, data))
    assert {c.protocol for c in plan.cells("quick", "discrete")} == {protocol}
    assert plan.scale_of("quick", "discrete").seeds == (0, 10, 42, 77, 123)
    assert len(plan.shards("quick", "discrete")) == 12


def cell(steps: int, segments: int = 4, **overrides: Any) -> Cell:
    return make_cell("ppo", "CartPole-v1", overrides, steps, Protocol(segments, 1, 1))


@pytest.mark.parametrize(
    ("steps", "segments", "iterations", "per_segment"),
    [(2048, 1, 1, 1), (20480, 4, 10, 3), (2_000_000, 20, 976, 49), (4096, 20, 2, 1)],
)
def test_iterations_are_whole_rollouts_of_2048(
    steps: int, segments: int, iterations: int, per_segment: int
) -> None:
    ours = cell(steps, segments)
    assert (ours.iterations, ours.segment_iterations) == (iterations, per_segment)


def test_a_scale_that_an_experiment_does_not_name_leaves_it_out(tmp_path: Path) -> None:
    data = copy.deepcopy(PLAN)
    data["scales"]["paper"] = data["scales"]["quick"]
    plan = load_plan(written(tmp_path, data))
    assert (plan.planned("quick"), plan.planned("paper")) == (["discrete"], [])
    assert plan.all_shards("paper") == {}


def test_a_plan_is_frozen(tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path, PLAN))
    with pytest.raises(ValueError, match="frozen"):
        plan.scales["quick"].segments = 3


def test_the_papers_own_plans_load() -> None:
    root = Path(__file__).parents[2] / "paper_figures"
    folders = sorted(path.parent for path in root.glob("*/experiments.yaml"))
    assert root / "prefpoe" in folders
    for folder in folders:
        plan: Plan = load_plan(folder)
        for scale in plan.scales:
            assert plan.all_shards(scale)


# What is refused: file, key, value and what is allowed, in one line

BAD: dict[str, tuple[tuple[str, ...], Any, list[str]]] = {
    "unknown method": (
        (*STUDY, "methods"),
        ["ppo", "prefpo"],
        ["experiments.discrete.methods", "'prefpo'", "allowed: ppo, ", "prefpoe_released"],
    ),
    "unknown environment": (
        (*STUDY, "steps", "quick", "Cartpole-v1"),
        4096,
        ["experiments.discrete.steps", "'Cartpole-v1'", "allowed: ", "CartPole-v1"],
    ),
    "unknown scale": (
        ("scales", "fast"),
        PLAN["scales"]["quick"],
        ["scales", "'fast'", "allowed: smoke, quick, reduced, paper"],
    ),
    "steps at an unknown scale": (
        (*STUDY, "steps", "fast"),
        {"CartPole-v1": 4096},
        ["experiments.discrete.steps", "'fast'", "allowed: smoke, quick, reduced, paper"],
    ),
    "steps at a scale that the file does not define": (
        (*STUDY, "steps", "paper"),
        {"CartPole-v1": 4096},
        ["experiments.discrete", "'paper'", "allowed: quick"],
    ),
    "unknown key at the top": (
        ("experiment",),
        {},
        ["'experiment'", "allowed: experiments, scales"],
    ),
    "unknown key of a scale": (
        (*QUICK, "seed"),
        [1],
        ["scales.quick", "'seed'", "allowed: curve_rows, ", "seeds"],
    ),
    "unknown key of an experiment": (
        (*STUDY, "arms"),
        ["ppo"],
        ["experiments.discrete", "'arms'", "allowed: amendments, ba", "factors, grid, methods"],
    ),
    "unknown hyperparameter": (
        (*STUDY, "settings", "learning_rte"),
        0.1,
        ["experiments.discrete", "ppo", "'learning_rte'", "allowed: ", "learning_rate"],
    ),
    "hyperparameter that one method lacks": (
        (*STUDY, "settings", "beta_1"),
        0.1,
        ["experiments.discrete", "settings of ppo", "'beta_1'", "allowed: "],
    ),
    "rate of 0": (
        (*STUDY, "settings", "learning_rate"),
        0,
        ["experiments.discrete", "learning_rate", "greater than 0", "got 0"],
    ),
    "gamma above 1": (
        (*STUDY, "settings", "gamma"),
        1.01,
        ["experiments.discrete", "gamma", "less than or equal to 1", "got 1.01"],
    ),
    "infinite rate": (
        (*STUDY, "settings", "learning_rate"),
        float("inf"),
        ["experiments.discrete", "learning_rate", "finite", "got inf"],
    ),
    "unknown choice": (
        (*STUDY, "settings", "mean"),
        "sigmoid",
        ["experiments.discrete", "mean", "'linear' or 'tanh'", "got 'sigmoid'"],
    ),
    "too many segments": (
        (*QUICK, "segments"),
        21,
        ["scales.quick.segments", "less than or equal to 20", "got 21"],
    ),
    "no segment": (
        (*QUICK, "segments"),
        0,
        ["scales.quick.segments", "greater than or equal to 1", "got 0"],
    ),
    "no evaluation": (
        (*QUICK, "evaluation_episodes"),
        0,
        ["scales.quick.evaluation_episodes", "greater than or equal to 1", "got 0"],
    ),
    "too many rows": (
        (*QUICK, "curve_rows"),
        501,
        ["scales.quick.curve_rows", "less than or equal to 500", "got 501"],
    ),
    "empty shards": (
        (*QUICK, "members_per_shard"),
        0,
        ["scales.quick.members_per_shard", "greater than or equal to 1", "got 0"],
    ),
    "negative seed": (
        (*QUICK, "seeds"),
        [0, -1],
        ["scales.quick.seeds.1", "greater than or equal to 0", "got -1"],
    ),
    "seed above 32 bits": (
        (*QUICK, "seeds"),
        [2**32],
        ["scales.quick.seeds.0", "less than 4294967296", "got 4294967296"],
    ),
    "seed twice": ((*QUICK, "seeds"), [3, 1, 3], ["scales.quick.seeds", "seed 3 stands twice"]),
    "no seed": ((*QUICK, "seeds"), [], ["scales.quick.seeds", "at least one seed", "got []"]),
    "steps that are no number": (
        (*STUDY, "steps", "quick", "CartPole-v1"),
        "many",
        ["experiments.discrete.steps.quick.CartPole-v1", "integer", "got 'many'"],
    ),
    "steps below one iteration": (
        (*STUDY, "steps", "quick", "CartPole-v1"),
        2047,
        ["experiments.discrete", "steps = 2047", "one iteration of ppo (2048 steps)"],
    ),
    "no environment": (
        (*STUDY, "steps", "quick"),
        {},
        ["experiments.discrete.steps", "quick names no environment"],
    ),
    "no method": ((*STUDY, "methods"), [], ["experiments.discrete", "'ppo'", "methods ()"]),
    "method twice": (
        (*STUDY, "methods"),
        ["ppo", "ppo"],
        ["experiments.discrete.methods", "'ppo' stands twice"],
    ),
    "foreign baseline": (
        (*STUDY, "baseline"),
        "linear_fusion",
        ["experiments.discrete", "'linear_fusion'", "methods ('ppo', 'prefpoe')"],
    ),
    "action space not served": (
        (*STUDY, "methods"),
        ["ppo", "prefpoe_released"],
        ["experiments.discrete", "'prefpoe_released'", "continuous", "CartPole-v1 has discrete"],
    ),
    "minibatches that do not divide": (
        (*STUDY, "settings", "minibatches"),
        5,
        ["experiments.discrete", "settings of ppo", "2048", "multiple of minibatches = 5"],
    ),
    "minibatches of one": (
        (*STUDY, "settings", "minibatches"),
        2048,
        ["experiments.discrete", "minibatches", "at least 2"],
    ),
    "running statistics of several environments": (
        (*STUDY, "settings"),
        {"environments": 2, "normalize_observations": False},
        ["experiments.discrete", "environments = 2 contradicts", "normalize_rewards"],
    ),
    "a truth value for a number": (
        (*STUDY, "settings", "clip"),
        True,
        ["experiments.discrete", "clip", "must be a number", "got True"],
    ),
    "contrast with a stranger": (
        (*STUDY, "contrasts"),
        [["prefpoe", "ppo_matched"]],
        ["experiments.discrete", "contrasts: 'ppo_matched' is not among methods"],
    ),
    "contrast with the baseline": (
        (*STUDY, "contrasts"),
        [["prefpoe", "ppo"]],
        ["experiments.discrete", "comparison with the baseline already"],
    ),
    "empty grid": (
        (*STUDY, "grid"),
        {"clip": []},
        ["experiments.discrete.grid", "'clip' are empty", "at least one"],
    ),
    "grid value twice": (
        (*STUDY, "grid"),
        {"clip": [0.1, 0.1]},
        ["experiments.discrete.grid", "'clip'", "0.1 stands twice", "values must differ"],
    ),
    "grid value out of range": (
        (*STUDY, "grid"),
        {"clip": [0.1, -0.1]},
        ["experiments.discrete", "clip", "greater than 0", "got -0.1"],
    ),
    "grid value that is infinite": (
        (*STUDY, "grid"),
        {"clip": [0.1, float("inf")]},
        ["experiments.discrete", "clip", "finite", "got inf"],
    ),
    "grid over a shared hyperparameter": (
        (*STUDY, "grid"),
        {"epochs": [1, 2]},
        ["experiments.discrete", "'epochs' cannot differ", "allowed: learning_rate, gamma"],
    ),
    "grid over what one method lacks": (
        (*STUDY, "grid"),
        {"alpha": [0.1, 0.2]},
        ["experiments.discrete", "'alpha' cannot differ between members of ppo", "allowed: "],
    ),
    "empty factor": (
        (*STUDY, "factors"),
        {"mean": []},
        ["experiments.discrete.factors", "'mean' are empty", "at least one"],
    ),
    "factor value twice": (
        (*STUDY, "factors"),
        {"hidden": [[8, 8], [16], [8, 8]]},
        ["experiments.discrete.factors", "'hidden'", "(8, 8) stands twice", "values must differ"],
    ),
    "factor value that is no choice": (
        (*STUDY, "factors"),
        {"mean": ["linear", "sigmoid"]},
        ["experiments.discrete", "settings of ppo", "mean", "'linear' or 'tanh'", "got 'sigmoid'"],
    ),
    "factor that one method lacks": (
        (*STUDY, "factors"),
        {"detach_fused": [False, True]},
        ["experiments.discrete", "settings of ppo", "'detach_fused'", "allowed: adam_epsilon"],
    ),
    "factor that is set": (
        (*STUDY, "factors"),
        {"normalize_rewards": [True, False]},
        [
            "experiments.discrete",
            "'normalize_rewards' stands in settings and factors",
            "allowed: in one of settings, factors, grid",
        ],
    ),
    "grid over what is set": (
        (*STUDY,),
        PLAN["experiments"]["discrete"] | {"settings": {"clip": 0.3}, "grid": {"clip": [0.1, 0.2]}},
        [
            "experiments.discrete",
            "'clip' stands in settings and grid",
            "allowed: in one of settings, factors, grid",
        ],
    ),
    "grid over a factor": (
        (*STUDY,),
        PLAN["experiments"]["discrete"] | {"factors": {"clip": [0.3]}, "grid": {"clip": [0.1]}},
        [
            "experiments.discrete",
            "'clip' stands in factors and grid",
            "allowed: in one of settings, factors, grid",
        ],
    ),
    "setting of an amendment that is varied": (
        (*STUDY,),
        PLAN["experiments"]["discrete"]
        | {"grid": {"clip": [0.1]}, "amendments": {"quick": {"settings": {"clip": 0.3}}}},
        ["experiments.discrete", "'clip' stands in amendments.quick.settings and is varied"],
    ),
    "unknown setting of an amendment": (
        (*STUDY, "amendments"),
        {"quick": {"settings": {"clop": 0.3}}},
        ["experiments.discrete", "'clop'", "allowed: adam_epsilon"],
    ),
    "amendment of a scale that the experiment leaves out": (
        (*STUDY, "amendments"),
        {"paper": {"seeds": [1]}},
        ["experiments.discrete", "unknown scale in amendments 'paper'", "allowed: quick"],
    ),
    "amendment of what belongs to the scale": (
        (*STUDY, "amendments"),
        {"quick": {"segments": 3}},
        [
            "experiments.discrete.amendments.quick",
            "'segments'",
            "allowed: curve_rows, evaluation_episodes, evaluation_every, grid, members_per_shard, seeds, settings, snapshots, weights",
        ],
    ),
    "amendment with more snapshots than ends of segments": (
        (*STUDY, "amendments"),
        {"quick": {"snapshots": 6}},
        ["experiments.discrete", "snapshots = 6 with 4 segments", "to 5"],
    ),
    "amendment with a seed twice": (
        (*STUDY, "amendments"),
        {"quick": {"seeds": [1, 2, 1]}},
        ["experiments.discrete.amendments.quick.seeds", "seed 1 stands twice"],
    ),
    "amendment with too many rows": (
        (*STUDY, "amendments"),
        {"quick": {"curve_rows": 501}},
        ["amendments.quick.curve_rows", "less than or equal to 500", "got 501"],
    ),
}


@pytest.mark.parametrize("fault", list(BAD))
def test_a_bad_plan_is_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    place, value, words = BAD[fault]
    with pytest.raises(SpecificationError) as caught:
        load_plan(written(tmp_path, with_value(place, value)))
    message = str(caught.value)
    path = re.escape(str(tmp_path / "experiments.yaml"))
    assert re.match(rf"{path}(:\d+)?: ", message)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_plan_may_set_what_is_a_list(tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path, with_value((*STUDY, "settings", "hidden"), [8, 16])))
    assert {cell.settings.hidden for cell in plan.cells("quick", "discrete")} == {(8, 16)}


def test_the_unspoilt_plan_is_accepted(tmp_path: Path) -> None:
    assert len(load_plan(written(tmp_path, PLAN)).all_shards("quick")) == 12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"scales: {}\nscales: {}\n", ["key 'scales' stands twice", "line 2"]),
        (b"scales:\n  quick: {note: a, note: b}\n", ["key 'note' stands twice", "line 2"]),
        (b"scales: [\n", ["not valid YAML", "line 2"]),
        (b"[scales]: 1\n", ["not valid YAML", "line 1"]),
        (b"\xff\xfe", ["not UTF-8"]),
        (b"", ["valid dictionary"]),
        (b"- scales\n", ["valid dictionary", "['scales']"]),
        (b"scales: {}\n", ["experiments", "required"]),
    ],
)
def test_a_file_that_is_no_plan_is_refused(text: bytes, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "experiments.yaml").write_bytes(text)
    with pytest.raises(SpecificationError) as caught:
        load_plan(tmp_path)
    message = str(caught.value)
    path = re.escape(str(tmp_path / "experiments.yaml"))
    assert re.match(rf"{path}(:\d+)?: ", message)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SpecificationError, match=r"experiments\.yaml: cannot be read: No such file"
    ):
        load_plan(tmp_path)


def test_a_scale_that_is_not_defined_is_refused(tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path, PLAN))
    require_scale(plan, "quick", tmp_path)
    with pytest.raises(
        SpecificationError, match=r"experiments\.yaml: scale 'paper'.*allowed: quick"
    ):
        require_scale(plan, "paper", tmp_path)


@pytest.mark.parametrize(
    ("method", "environment", "words"),
    [
        ("pppo", "CartPole-v1", ["unknown method 'pppo'", "allowed: ppo, "]),
        ("ppo", "Pendulum-v1", ["unknown environment 'Pendulum-v1'", "allowed: HalfCheetah-v4"]),
        ("ppo_cleanrl_discrete", "Ant-v4", ["serves discrete actions", "Ant-v4 has continuous"]),
    ],
)
def test_a_cell_that_cannot_be_is_refused(method: str, environment: str, words: list[str]) -> None:
    with pytest.raises(SpecificationError) as caught:
        make_cell(method, environment, {}, 4096, Protocol(1, 1, 1))
    for word in words:
        assert word in str(caught.value)


def test_evaluations_that_would_never_take_place_are_refused() -> None:
    often = Protocol(1, 1, 1, evaluation_every=4097)
    with pytest.raises(SpecificationError, match="evaluation_every = 4097 is more than steps"):
        make_cell("ppo", "CartPole-v1", {}, 4096, often)


def test_a_schedule_without_a_weight_to_change_is_refused() -> None:
    with pytest.raises(SpecificationError, match="fusion_schedule = 'rising' has no weight"):
        make_cell(
            "linear_fusion",
            "HalfCheetah-v4",
            {"fusion_schedule": "rising"},
            4096,
            Protocol(1, 1, 1),
        )


def test_the_readmes_example_is_a_plan(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = (
        part for part in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if "grid:" in part
    )
    scales = """scales:
  paper: {note: x, seeds: [0], members_per_shard: 4, segments: 2, evaluation_episodes: 1, curve_rows: 10}
"""
    (tmp_path / "experiments.yaml").write_text(scales + example, encoding="utf-8")
    plan = load_plan(tmp_path)
    assert [len(plan.shards("paper", name)) for name in plan.experiments] == [3, 4, 1]
    assert plan.study("paper", "deployment").shards == (plan.shards("paper", "best")[0].hash,)


def test_how_a_simulator_is_wrapped_is_part_of_the_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plain environments are as they were before any was wrapped; a shift that is edited makes other records."""

    def cell(environment: str) -> Cell:
        return make_cell("rep_squashed", environment, {}, 4096, Protocol(1, 1, 1))

    assert "wrapping" not in cell("Swimmer-v4").content()
    before = cell("ShiftedSwimmer-v4").content()
    assert before["wrapping"] == {"simulator": "Swimmer-v4", "shift": -0.5}
    entry = replace(ENVIRONMENTS["ShiftedSwimmer-v4"], shift=0.0)
    monkeypatch.setitem(ENVIRONMENTS, "ShiftedSwimmer-v4", entry)
    after = cell("ShiftedSwimmer-v4").content()
    assert after["wrapping"]["shift"] == 0.0
    assert content_hash(after) != content_hash(before)
