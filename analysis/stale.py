"""Why records are stale: what the plan asks for now that it did not ask for when they were made. Trains nothing.

Also says where a valid record was made with other versions of libraries than those installed, which never makes it stale.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from algorithms.cell import Plan, Shard, load_plan
from algorithms.header import RecordError
from algorithms.records import installed_versions, read_record, read_study
from algorithms.specification import SpecificationError, printable
from algorithms.study import FOLDER as STUDIES
from analysis.load import find_record

ABSENT = "absent"
NAMES = {"version": "method version", "best_of": "selection (sweep)"}
"""What is called otherwise than its key."""
LONG_LIST, LONG_TEXT = 8, 80


def stale_records(plan: Plan, scale: str, records: Path) -> pd.DataFrame:
    """Records below `records` that no shard or study of the plan names, each with what differs from the plan.

    Columns environment, method, record, why; the first two are empty for a study. The planned shard of the same
    environment and method with the fewest differences is the one compared.
    """
    planned = plan.all_shards(scale)
    names = {shard.name for shard in planned.values()}
    names |= {plan.study(scale, name).path for name in plan.planned_studies(scale)}
    rows = []
    for path in sorted(records.glob("*/*/record.json")):
        name = path.parent.relative_to(records).as_posix()
        if name in names:
            continue
        try:
            if name.startswith(f"{STUDIES}/"):
                rows.append(("", "", name, _why_study_stale(path.parent, plan, scale)))
                continue
            content = read_record(path.parent).meta["shard"]
            environment, method = str(content["environment"]), str(content["method"])
            rows.append((environment, method, name, _why_stale(content, planned)))
        except RecordError as error:
            rows.append(("", "", name, f"cannot be read: {error}"))
        except (AttributeError, KeyError, TypeError):  # whole and sealed, but somebody else's
            rows.append(("", "", name, "no record of a shard or study"))
    return pd.DataFrame(rows, columns=["environment", "method", "record", "why"])


def _why_stale(content: dict[str, Any], planned: dict[str, Shard]) -> str:
    rivals = [
        differences(content, shard.content())
        for shard in planned.values()
        if (shard.cell.environment, shard.cell.method)
        == (content["environment"], content["method"])
    ]
    if not rivals:
        return "this scale plans no such method on this environment"
    nearest = min(rivals, key=len)
    return "; ".join(nearest) or "lies at a path that is not its own"


def _why_study_stale(folder: Path, plan: Plan, scale: str) -> str:
    content = read_study(folder).meta["study"]
    if content["name"] not in plan.planned_studies(scale):
        return "this scale plans no such study"
    asked = plan.study(scale, content["name"]).content()
    changed = _changes(_leaves(content), _leaves(asked))
    return "; ".join(changed) or "lies at a path that is not its own"


def _leaves(content: dict[str, Any]) -> dict[str, Any]:
    """Nested content as one level: "methods.ppo.version"."""
    leaves: dict[str, Any] = {}
    for key, value in content.items():
        below = _leaves(value) if isinstance(value, dict) else {}
        leaves |= {f"{key}.{name}": leaf for name, leaf in below.items()} or {key: value}
    return leaves


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between a record's content and a planned shard's, one phrase each."""
    changed = _changes(_flat(old), _flat(new))
    return changed or (["members: the same, grouped otherwise"] if old != new else [])


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        f"{key}: {_short(before.get(key, ABSENT))} → {_short(after.get(key, ABSENT))}"
        for key in dict.fromkeys([*after, *before])
        if before.get(key, ABSENT) != after.get(key, ABSENT)
    ]


def _short(value: Any) -> str:
    """A value in few words: of a long list its ends and its length."""
    if isinstance(value, list) and len(value) > LONG_LIST:
        return f"[{_short(value[0])}, …, {_short(value[-1])}] ({len(value)})"
    text = printable(str(value))
    return text if len(text) <= LONG_TEXT else f"{text[:LONG_TEXT]}…"


def _flat(content: dict[str, Any]) -> dict[str, Any]:
    """Content with settings one level up, and members as their number, their seeds and the values of what is swept."""
    apart = ("settings", "members")
    plain = {NAMES.get(key, key): x for key, x in content.items() if key not in apart}
    settings = {f"settings.{key}": value for key, value in content["settings"].items()}
    members = content["members"]
    swept: dict[str, list[Any]] = {}
    for member in members:
        for name, value in member["setting"].items():
            swept.setdefault(f"grid.{name}", []).append(value)
    return {
        **plain,
        **settings,
        "seeds": list(dict.fromkeys(member["seed"] for member in members)),
        **{name: list(dict.fromkeys(values)) for name, values in swept.items()},
        **({"members": len(members)} if swept else {}),
    }


def other_versions(folder: Path, scale: str, results: Path) -> list[str]:
    """Libraries whose version in valid records of the paper in `folder` is another than the one installed, a phrase each.

    Raises SpecificationError for a broken plan and RecordError for a damaged record of it.
    """
    plan, records = load_plan(folder), results / scale / folder.name / "records"
    installed = installed_versions()
    found: Counter[tuple[str, str]] = Counter()
    for shard in plan.all_shards(scale).values():
        record = find_record(shard, records)
        told = {} if record is None else record.meta["provenance"].get("versions", {})
        found.update((name, str(version)) for name, version in told.items())
    return [
        printable(
            f"{name} {version} in {count} record{'s' * (count > 1)}, "
            f"{installed.get(name, 'none')} installed"
        )
        for (name, version), count in sorted(found.items())
        if installed.get(name) != version
    ]


def lines(folders: Sequence[Path], results: Path) -> Iterator[str]:
    """A line for each stale record of every scale, then one for each scale whose records have other library versions.

    Raises SpecificationError for a broken plan and RecordError for a damaged record of it.
    """
    warnings = []
    for folder in folders:
        plan = load_plan(folder)
        for scale in plan.scales:
            where = f"{folder.name} {scale}"
            records = results / scale / folder.name / "records"
            for row in stale_records(plan, scale, records).itertuples():
                yield printable(f"{where} {row.record}: {row.why}")
            if versions := other_versions(folder, scale, results):
                warnings.append(f"warning: {where}: {'; '.join(versions)}")
    yield from warnings


def main(argv: Sequence[str] | None = None) -> int:
    """Print why each stale record is; 2 for a specification error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.stale", description=__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", required=True, help="folders of papers")
    parser.add_argument("--results", type=Path, required=True, help="root of the results")
    options = parser.parse_args(argv)
    try:
        told = list(lines(options.papers, options.results))
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if all(line.startswith("warning: ") for line in told):
        told.insert(0, "nothing is stale: every record is one that its plan asks for")
    print("\n".join(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
