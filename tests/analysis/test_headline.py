"""The README's first table: hand-computed rows from real records, and a block that nobody edits by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from algorithms.cell import Shard, load_plan
from analysis import headline
from analysis.audit.cells import recorded
from analysis.audit.replicated import Ours
from analysis.audit.verdicts import audit
from analysis.claims import load_claims
from analysis.headline import BEGIN, END

ROOT = Path(__file__).parents[2]
EXPERIMENTS = """\
scales:
  paper:
    note: a test
    seeds: [0, 10, 42]
    members_per_shard: 3
    segments: 2
    evaluation_episodes: 2
    curve_rows: 4
experiments:
  first:
    title: Two readings
    baseline: ppo
    methods: [ppo, prefpoe, linear_fusion]
    steps:
      paper: {ProbeTarget-v0: 4096}
  second:
    title: One reading
    baseline: ppo
    methods: [ppo, prefpoe]
    steps:
      paper: {ProbeSign-v0: 4096}
"""
PAPER = """\
title: A paper
short: Toy
source: a test
protocol: none
artifacts: {}
assumptions: []
headlines: [abstract.target, sign]
readings: {linear_fusion: prefpoe}
compute: {device: an abacus, minutes: {ProbeTarget-v0: minutes}}
"""
CLAIMS = """\
claims:
  - {id: target.ppo, kind: mean, value: "100±10", n: 3, place: Table 1, quote: "…",
     experiment: first, environment: ProbeTarget-v0, method: ppo}
  - {id: target.prefpoe, kind: mean, value: "150 ± 20", n: 3, place: Table 1, quote: "…",
     experiment: first, environment: ProbeTarget-v0, method: prefpoe}
  - {id: abstract.prefpoe, kind: mean, value: "150", n: 3, place: Abstract, quote: "…", same_as: target.prefpoe,
     experiment: first, environment: ProbeTarget-v0, method: prefpoe}
  - {id: abstract.target, kind: improvement, value: "+50%", place: Abstract, quote: "…",
     of: {new: abstract.prefpoe, old: target.ppo}}
  - {id: sign.ppo, kind: mean, value: "10.0 ± 2.0", n: 3, place: Table 2, quote: "…",
     experiment: second, environment: ProbeSign-v0, method: ppo}
  - {id: sign.prefpoe, kind: mean, value: "20.0 ± 2.0", n: 4, place: Table 2, quote: "…",
     experiment: second, environment: ProbeSign-v0, method: prefpoe}
  - {id: sign, kind: improvement, value: "+100%", place: Table 2, quote: "…",
     of: {new: sign.prefpoe, old: sign.ppo}}
  - {id: minutes, kind: number, value: "90", unit: minutes, place: Appendix, quote: "…"}
"""
README = f"# Toy\n\nWords.\n\n{BEGIN}\n{END}\n\nMore words.\n"
Write = Callable[..., Path]
Record = Callable[..., None]
# Means of the members' two episodes: 100, 100, 100 and 140, 150, 160 and 90, 100, 110.
LEVEL = [(90.0, 110.0)] * 3
HIGH = [(130.0, 150.0), (150.0, 150.0), (150.0, 170.0)]
LOW = [(80.0, 100.0), (100.0, 100.0), (110.0, 110.0)]


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    folder.mkdir()
    files = {"experiments.yaml": EXPERIMENTS, "paper.yaml": PAPER, "claims.yaml": CLAIMS}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    return folder


@pytest.fixture
def records(results: Path) -> Path:
    return results / "paper" / "toy" / "records"


@pytest.fixture
def record(paper: Path, write: Write) -> Record:
    """A function that writes the record of an arm."""

    def of(method: str, members: list[tuple[float, ...] | None], experiment: str = "first") -> None:
        shards: list[Shard] = load_plan(paper).shards("paper", experiment)
        (shard,) = (shard for shard in shards if shard.cell.method == method)
        write(shard, members)

    return of


def run(paper: Path, results: Path, *options: str) -> int:
    readme = paper.parent / "README.md"
    places = ("--papers", str(paper), "--results", str(results), "--readme", str(readme))
    return headline.main([*places, *options])


def text_of(paper: Path) -> str:
    return (paper.parent / "README.md").read_text(encoding="utf-8")


def rows(paper: Path, results: Path) -> list[list[str]]:
    """The cells of every row below the head."""
    assert run(paper, results) == 0
    lines = [line for line in text_of(paper).splitlines() if line.startswith("| ")]
    return [
        line.replace("\u00a0", " ").replace("<br>", " ").strip("| ").split(" | ")
        for line in lines[2:]
    ]


def test_every_reading_of_a_headline_is_a_row_with_its_own_verdict(paper, results, record) -> None:
    record("ppo", LEVEL)
    record("prefpoe", HIGH)
    record("linear_fusion", LOW)
    claimed = "+50% (100 ± 10 → 150 ± 20; n = 3)"
    # Without spread in PPO, Fieller's interval is that of a mean: ± t₂ 10 / √3 = 4.303 × 5.774 = 24.8, of 100.
    assert rows(paper, results) == [
        [
            "ProbeTarget-v0 PPO → PrefPoE (equations)",
            claimed,
            "+50% [+25, +75] (100 ± 0 → 150 ± 10; n = 3)",
            "✓ replicated (≈ compatible → ≈ compatible)",
        ],
        [
            "ProbeTarget-v0 PPO → PPO + linear fusion",
            claimed,
            "+0% [−25, +25] (100 ± 0 → 100 ± 10; n = 3)",
            "✕ contradicted (≈ compatible → ≠ incompatible)",
        ],
        [
            "ProbeSign-v0 PPO → PrefPoE (equations)",
            "+100% (10.0 ± 2.0 → 20.0 ± 2.0; n = 3 and 4)",
            "not trained yet",
            "untested",
        ],
    ]
    assert (
        "PrefPoE (equations) and PPO + linear fusion are two readings of one method; "
        "on ProbeSign-v0 only the first has an arm." in text_of(paper)
    )


def test_verdicts_are_those_of_the_whole_audit(paper, results, record) -> None:
    record("ppo", LOW)
    record("prefpoe", [(100.0,), (140.0,), (120.0,)])
    record("ppo", [(10.0,), (11.0,), (12.0,)], "second")
    whole = audit(load_claims(paper), "toy", "Toy", {}, Ours(recorded(paper, results)))
    by_id = {one.claim.id: one.replicated for one in whole}
    first, _, last = (row[-1] for row in rows(paper, results))
    signs = [by_id[name] for name in ("abstract.target", "target.ppo", "abstract.prefpoe")]
    assert signs[0] == "underpowered"
    assert [part.split(" ", 1)[1] for part in first[:-1].replace(" (", " → ").split(" → ")] == signs
    assert last == f"untested (≈ {by_id['sign.ppo']} → untested)"


def test_runs_that_are_not_there_say_so(paper, results, record) -> None:
    record("ppo", LEVEL)
    record("prefpoe", [(1.0, 2.0), None, (3.0, 4.0)])
    first, second, _ = rows(paper, results)
    assert first[2] == "100 ± 0 (n = 3) → 2 ± 1 (n = 2; 2 done, 1 diverged of 3 runs)"
    assert second[2] == "100 ± 0 (n = 3) → not trained yet"
    assert first[3] == second[3] == "untested (≈ compatible → untested)"


def test_an_improvement_needs_a_first_mean_above_zero(paper, results, record) -> None:
    record("ppo", [(-1.0, 1.0), (-2.0, 0.0), (-3.0, -1.0)])
    record("prefpoe", HIGH)
    first, *_ = rows(paper, results)
    assert first[2] == ("no percentage, the first mean is not above 0 (−1 ± 1 → 150 ± 10; n = 3)")
    record("ppo", [(0.1, 0.1), (5.0, 5.0), (30.0, 30.0)], "second")
    record("prefpoe", [(20.0,)] * 3, "second")
    assert rows(paper, results)[2][2].startswith("+71% [unbounded] (11.7 ± 16.0 → 20.0 ± 0.0")


def test_cost_counts_a_run_once_and_names_what_it_covers(paper, results, record) -> None:
    for method in ("ppo", "prefpoe", "linear_fusion"):
        record(method, LEVEL)
    assert run(paper, results) == 0
    # A job takes 36 seconds on 2 threads; the paper prints PPO and PrefPoE there, three seeds each, 90 minutes a seed.
    assert (
        "Scale `paper`: 9 of 15 planned runs are recorded, in 0.06 core-hours. The paper states the minutes of "
        "one run (Appendix; an abacus), 90 on ProbeTarget-v0: 9 GPU-hours for the 6 runs on these "
        "environments whose means it prints. Of these, 6 are recorded here, in 0.04 core-hours where the "
        "paper's minutes make 9 GPU-hours.\n" in text_of(paper)
    )


def test_without_records_nothing_is_said_of_them(paper, results) -> None:
    assert [row[2:] for row in rows(paper, results)] == [["not trained yet", "untested"]] * 3
    assert "0 of 15 planned runs are recorded, in 0 core-hours." in text_of(paper)
    assert "Of these" not in text_of(paper)


def test_writing_again_changes_nothing_and_leaves_the_rest_alone(paper, results, record) -> None:
    record("ppo", LEVEL)
    assert run(paper, results) == 0
    once = text_of(paper)
    before, rest = README.split(BEGIN)
    assert once.startswith(before + BEGIN)
    assert once.endswith(END + rest.split(END)[1])
    assert run(paper, results) == 0
    assert text_of(paper) == once
    assert run(paper, results, "--check") == 0


def test_check_finds_an_edit_and_new_records(
    paper, results, record, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(paper, results) == 0
    written = text_of(paper)
    edited = written.replace("+50%", "+51%")
    (paper.parent / "README.md").write_text(edited, encoding="utf-8")
    assert run(paper, results, "--check") == 1
    assert text_of(paper) == edited
    (line,) = capsys.readouterr().err.splitlines()
    readme = paper.parent / "README.md"
    places = f"--papers {paper} --results {results} --readme {readme}"
    assert line == (
        f"error: {readme}: the headline table is out of date; "
        f"run: python -m analysis.headline {places}"
    )
    (paper.parent / "README.md").write_text(written, encoding="utf-8")
    assert run(paper, results, "--check") == 0
    record("ppo", LEVEL)
    assert run(paper, results, "--check") == 1


def test_a_paper_without_headlines_is_left_out(paper, results) -> None:
    text = PAPER.replace("headlines: [abstract.target, sign]\n", "")
    (paper / "paper.yaml").write_text(text, encoding="utf-8")
    assert run(paper, results) == 0
    assert f"{BEGIN}\n\n{END}" in text_of(paper)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sign]", "sine]", ["headlines: 'sine'", "allowed: abstract.target, sign"]),
        ("sign]", "sign.ppo]", ["headlines: 'sign.ppo'", "allowed: abstract.target, sign"]),
        (": prefpoe}", ": prefpo}", ["readings: 'prefpo'", "allowed: linear_fusion, ppo, prefpoe"]),
        ("ProbeTarget-v0:", "Ant-v4:", ["compute.minutes: 'Ant-v4'", "ProbeSign-v0, ProbeTarget-v0"]),
        (": minutes}", ": sign}", ["compute.minutes: 'sign'", "allowed: minutes"]),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(
    paper, results, old: str, new: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in PAPER
    (paper / "paper.yaml").write_text(PAPER.replace(old, new), encoding="utf-8")
    assert run(paper, results) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {paper / 'paper.yaml'}: ")
    assert all(word in line for word in words), line
    assert text_of(paper) == README


@pytest.mark.parametrize("text", ["# Toy\n", f"{END}\n{BEGIN}\n", README * 2])
def test_a_readme_without_its_place_for_the_table_is_one_line(
    paper, results, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = paper.parent / "README.md"
    readme.write_text(text, encoding="utf-8")
    assert run(paper, results) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {readme}: needs one headline table, from {BEGIN} to {END}"
    assert text_of(paper) == text


def test_the_readme_of_this_repository_is_up_to_date(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert headline.main(["--check"]) == 0, capsys.readouterr().err
