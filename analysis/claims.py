"""A paper's `claims.yaml`: what the paper asserts, in its own words and digits.

A claim keeps its number as a string, because "10.80" asserts more than "10.8". It stands beside the exact
words that carry it, so that a reader can find it. A claim that follows from others (an improvement from two means)
names them in `of`; a claim that records would answer names its experiment, environment and method.
Importing this module loads neither torch nor pandas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from algorithms.cell import Plan, load_plan
from algorithms.specification import (
    STEERING,
    SpecificationError,
    Strict,
    explain,
    parse_document,
    printable,
    problem,
    read_text,
)
from analysis.reported import Reported, decimals, parse

if TYPE_CHECKING:
    import pandas as pd


def _plain(text: str) -> str:
    if found := STEERING.search(text):
        raise ValueError(f"must have no control characters (has {found[0]!r})")
    return text


Words = Annotated[str, Field(min_length=1), AfterValidator(_plain)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]
Ids = Annotated[
    tuple[Id, ...],
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One id, or a list of them."""
Roles = Mapping[str, Literal["one", "many", "any"]]
Relation = Literal["above", "below", "at least", "at most", "similar"]


@dataclass(frozen=True)
class Kind:
    """What a kind of claim says, and what it must give: roles in `of`, a value, other fields.

    `arm` is what the claims in its roles must have: "mean" or "interval" (their kind), "spread", "n". `relations` are
    those that it knows; none where it needs no relation.
    """

    says: str
    roles: Roles = field(default_factory=dict)
    value: bool = True
    needs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    arm: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()


ONE_ARM: Roles = {"arm": "one"}
TWO_ARMS: Roles = {"new": "one", "old": "one"}
TWO: Roles = {"first": "one", "second": "one"}
CELL = ("experiment", "environment", "method", "phase")
TWO_METHODS = ("first_method", "second_method", "environments")
SETTINGS = ("first_setting", "second_setting")
RELATIONS: tuple[Relation, ...] = ("above", "below", "at least", "at most", "similar")
KINDS: dict[str, Kind] = {
    "mean": Kind(
        'a mean over n units, maybe with its spread: "5375±581"',
        optional=(*CELL, "n", "spread", "ddof", "outcome", "episodes"),
    ),
    "number": Kind("a number that stands alone: a count, a time, an entropy", optional=("n",)),
    "minimum": Kind("the smallest of the units behind a mean", ONE_ARM, arm=("mean",)),
    "maximum": Kind("the largest of the units behind a mean", ONE_ARM, arm=("mean",)),
    "cv": Kind("100 · spread / mean of an arm", ONE_ARM, arm=("mean", "spread")),
    "improvement": Kind(
        "100 · (new − old) / |old|; over several pairs, their average",
        {"new": "any", "old": "any"},
    ),
    "difference": Kind("first − second", TWO),
    "ratio": Kind("first / second", TWO),
    "multiple": Kind("a number times a factor", ONE_ARM, needs=("factor",)),
    "average": Kind("the mean of its parts", {"parts": "many"}),
    "sum": Kind("the sum of its parts", {"parts": "many"}),
    "interval": Kind(
        'a confidence interval of an arm\'s mean: "[5284, 5868]"',
        ONE_ARM,
        optional=("level",),
        arm=("mean", "spread", "n"),
    ),
    "p_value": Kind(
        "the p-value of a test of two arms", TWO_ARMS, optional=("test",), arm=("mean", "n")
    ),
    "width": Kind("the width of an interval", ONE_ARM, arm=("interval",)),
    "effect_size": Kind("Cohen's d of two arms", TWO_ARMS, arm=("mean", "n")),
    "comparison": Kind(
        "how two reported numbers compare",
        TWO,
        value=False,
        needs=("relation",),
        relations=RELATIONS,
    ),
    "best": Kind(
        "the best of a column, as printed in bold",
        {"best": "one", "others": "many"},
        value=False,
        optional=("lower_is_better",),
    ),
    "ordering": Kind(
        "which of two methods scores higher; where over is given, at every value of that hyperparameter. At least and at most "
        "allow for a margin, as an equivalence does",
        value=False,
        needs=("relation", *TWO_METHODS),
        optional=("experiment", "second_experiment", "over", "margin", *SETTINGS),
        relations=RELATIONS,
    ),
    "equivalence": Kind(
        "two methods score alike: within margin times what the base (the second unless it is named) is above random play",
        value=False,
        needs=("margin", *TWO_METHODS),
        optional=("experiment", "second_experiment", "base_method", "base_experiment", *SETTINGS),
    ),
    "robustness": Kind(
        "which of two methods scores higher on average over the values of a hyperparameter, tuned at each",
        value=False,
        needs=("relation", "over", *TWO_METHODS),
        optional=("experiment", "second_experiment"),
        relations=("above", "below"),
    ),
    "trend": Kind(
        "how the first method's lead over the second, both tuned, changes as a hyperparameter grows",
        value=False,
        needs=("lead", "over", *TWO_METHODS),
        optional=("experiment", "second_experiment"),
    ),
    "theory": Kind(
        "a theorem, proposition or identity, decided by a witness",
        value=False,
        needs=("witness",),
        optional=("study", "statement"),
    ),
    "finding": Kind(
        "what a study of the paper found, decided by our record of that study",
        value=False,
        needs=("study", "statement"),
    ),
    "artefact": Kind(
        "a property of what the authors released, decided by a witness",
        value=False,
        needs=("witness",),
    ),
    "statement": Kind(
        "a statement that cannot be tested here, and why", value=False, needs=("untestable",)
    ),
}
COMMON = (
    "id",
    "place",
    "quote",
    "kind",
    "of",
    "value",
    "unit",
    "same_as",
    "note",
    "untestable",
    "witness",
)


class Arm(NamedTuple):
    """One of the methods that a claim compares: of which experiment, and at which point of its grid if at one."""

    experiment: str | None
    method: str | None
    setting: Mapping[str, float] = MappingProxyType({})


class Claim(Strict):
    """One checkable statement of the paper.

    `value` is written as the paper prints it. `n` counts the units that a mean averages (seeds, unless `unit` says
    otherwise), `episodes` those within a unit. `same_as` names a claim that reports the same quantity elsewhere.
    The second of two methods may belong to a `second_experiment`, and the base of an equivalence, if it is a third, to a `base_experiment`. `over` is a hyperparameter of an experiment's grid;
    `first_setting` and `second_setting` name the one point of it that a method is compared at.
    `study` is one of experiments.yaml, and `statement` the name by which the paper's answers.py decides on it.
    """

    id: Id
    place: Words
    quote: Words
    kind: Literal[
        "mean", "number", "minimum", "maximum", "cv", "improvement", "difference", "ratio", "multiple", "average", "sum",
        "interval", "p_value", "width", "effect_size", "comparison", "best", "ordering", "equivalence", "robustness", "trend", "theory",
        "finding", "artefact", "statement",
    ]  # fmt: skip
    value: str | None = None
    unit: str | None = None
    of: dict[str, Ids] = Field(default_factory=dict)
    same_as: Id | None = None
    note: str | None = None
    n: Annotated[int, Field(ge=1, le=10**9)] | None = None
    episodes: Annotated[int, Field(ge=1, le=10**9)] | None = None
    spread: Literal["std", "standard error", "95% interval", "unstated"] = "std"
    ddof: Literal[0, 1] | None = None
    outcome: Literal["real", "integer", "binary"] = "real"
    level: Annotated[float, Field(gt=0, lt=100)] = 95.0
    test: Literal["paired t", "welch", "student", "unstated"] = "unstated"
    relation: Relation | None = None
    lower_is_better: bool = False
    factor: Annotated[float, Field(gt=0)] | None = None
    experiment: Words | None = None
    second_experiment: Words | None = None
    environment: Words | None = None
    method: Words | None = None
    phase: Literal["early", "final"] | None = None
    first_method: Words | None = None
    first_setting: dict[str, float] = Field(default_factory=dict)
    second_method: Words | None = None
    second_setting: dict[str, float] = Field(default_factory=dict)
    base_method: Words | None = None
    base_experiment: Words | None = None
    environments: tuple[Words, ...] = ()
    over: Words | None = None
    lead: Literal["grows", "shrinks"] | None = None
    margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    study: Words | None = None
    statement: Id | None = None
    witness: Id | None = None
    untestable: Words | None = None

    @cached_property
    def reported(self) -> Reported:
        """The value, read. Raises ValueError for a claim without one."""
        if self.value is None:
            raise ValueError(f"{self.id} has no value")
        read = parse(self.value)
        return read.fraction if self.outcome == "binary" or self.kind == "p_value" else read

    @property
    def references(self) -> tuple[str, ...]:
        """Every claim that this one names, in `of` and `same_as`."""
        named = [name for role in self.of for name in self.role(role)]
        return (*named, *([self.same_as] if self.same_as else []))

    @property
    def compared(self) -> tuple[Arm, ...]:
        """The two methods that are compared, and an equivalence's base if it is a third."""
        second = self.second_experiment or self.experiment
        arms = (
            Arm(self.experiment, self.first_method, self.first_setting),
            Arm(second, self.second_method, self.second_setting),
        )
        if self.base_method is None:
            return arms
        return (*arms, Arm(self.base_experiment or second, self.base_method))

    def role(self, name: str) -> tuple[str, ...]:
        """The ids in a role of `of`."""
        return self.of.get(name, ())

    @field_validator("value")
    @classmethod
    def _is_printed(cls, value: str | None) -> str | None:
        if value is not None:
            parse(value)
        return value

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Claim:
        problems = list(self._problems(KINDS[self.kind]))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self, kind: Kind) -> Iterator[str]:
        allowed = {*COMMON, *kind.needs, *kind.optional}
        for name in sorted(self.model_fields_set - allowed):
            yield f"{name} means nothing for kind {self.kind}; allowed: {', '.join(sorted(allowed))}"
        for name in kind.needs:
            if not getattr(self, name):
                yield f"kind {self.kind} needs {name}"
        if kind.relations and self.relation is not None and self.relation not in kind.relations:
            yield f"kind {self.kind} takes relation: {', '.join(kind.relations)} (got {self.relation!r})"
        if (self.study is None) != (self.statement is None):
            yield "study and statement go together"
        if self.kind == "ordering" and self.margin and self.relation not in ("at least", "at most"):
            yield f"margin goes with relation: at least, at most (got {self.relation!r})"
        if self.margin and self.over:
            yield "margin and over do not go together: a margin is tested at the best setting"
        if self.first_method is not None and self.compared[0] == self.compared[1]:
            yield "first and second method are the same arm; allowed: another method, experiment or setting"
        if self.base_experiment is not None and self.base_method is None:
            yield "base_experiment goes with base_method"
        if self.base_method is not None and self.compared[2] in self.compared[:2]:
            yield "base_method is a third method; a base that is compared is the second and is not named again"
        if kind.value and self.value is None:
            yield f"kind {self.kind} needs a value"
        if set(self.of) != set(kind.roles):
            roles = ", ".join(f"{name} ({many})" for name, many in kind.roles.items()) or "none"
            yield f"kind {self.kind} takes in of: {roles} (got {', '.join(self.of) or 'none'})"
        for name, many in kind.roles.items():
            if many == "one" and len(self.role(name)) > 1:
                yield f"of.{name} takes one claim (got {len(self.role(name))})"
            if name in self.of and not self.role(name):
                yield f"of.{name} is empty"
        if self.kind == "improvement" and len(self.role("new")) != len(self.role("old")):
            yield "of.new and of.old must name equally many claims"
        if self.kind == "p_value" and self.value is not None:
            low, high = self.reported.range.low, self.reported.range.high
            if self.reported.spread is not None or low > 1 or high < 0:
                yield f"value must be a probability (got {self.value!r})"
        if self.kind == "interval" and self.value is not None and self.reported.ends is None:
            yield f'value must be an interval such as "[5284, 5868]" (got {self.value!r})'
        if self.kind != "interval" and self.value is not None and self.reported.ends is not None:
            yield f"value: kind {self.kind} takes no interval (got {self.value!r})"


ById = Mapping[str, Claim]
"""Claims by their id."""


class Entries(Strict):
    """The contents of `claims.yaml`, claims unread."""

    title: str | None = None
    claims: list[Any]


class Claims(Strict):
    """The contents of `claims.yaml`: an optional title, and the claims."""

    title: str | None = None
    claims: tuple[Claim, ...]


def read_claims(path: Path) -> Claims:
    """Read a `claims.yaml`, whosever it is. Raises SpecificationError that lists every problem, a line each.

    One process checks the same text at the same path once; claims are frozen.
    """
    return _checked(path, read_text(path))


@lru_cache(maxsize=32)
def _checked(path: Path, text: str) -> Claims:
    document = parse_document(path, text)
    try:
        entries = Entries.model_validate(document.data)
    except ValidationError as error:
        raise SpecificationError(explain(error, document.at(()))) from error
    claims: list[Claim] = []
    problems: list[str] = []
    lines: dict[str, str] = {}
    for index, entry in enumerate(entries.claims):
        place = document.at(("claims", index))
        try:
            claim = Claim.model_validate(entry)
        except ValidationError as error:
            name = _written_id(entry) or f"claims.{index}"
            problems += [
                f"{document.at(('claims', index, *found['loc']))}: {name}: {problem(found)}"
                for found in error.errors(include_url=False)
            ]
            continue
        if claim.id in lines:
            problems.append(f"{place}: id {claim.id!r} stands twice; ids must differ")
        lines.setdefault(claim.id, place)
        claims.append(claim)
    problems += _broken_references(claims, lines, entries.claims)
    if problems:
        raise SpecificationError("\n".join(map(printable, problems)))
    return Claims(title=entries.title, claims=tuple(claims))


def load_claims(folder: Path) -> tuple[Claim, ...]:
    """The claims of the paper in `folder`, those with a cell found in its plan. Raises SpecificationError."""
    path = folder / "claims.yaml"
    claims = read_claims(path).claims
    if (folder / "experiments.yaml").is_file():
        plan = load_plan(folder)
        problems = dict.fromkeys(said for claim in claims for said in _not_in_plan(claim, plan))
        if problems:
            raise SpecificationError("\n".join(f"{path}: {said}" for said in problems))
    return claims


def reported(claims: tuple[Claim, ...], place: str) -> pd.DataFrame:
    """What the paper prints at `place`, one row for each number of a cell, in the order of the file.

    Columns: environment, method, quantity (mean, std, cv, improvement, early_return, final_return), value (str,
    as printed), number (float), decimals (int).
    """
    import pandas as pd  # here: the Snakefile checks claims and must stay light

    by_id = {claim.id: claim for claim in claims}
    rows = []
    for claim in claims:
        if claim.place != place or claim.kind not in ("mean", "cv", "improvement"):
            continue
        arm = cell_of(claim, by_id)
        quantity = f"{arm.phase}_return" if arm.phase else claim.kind
        printed, *spread = (part.strip() for part in str(claim.value).split("±"))
        for name, text in ((quantity, printed), *(("std", part) for part in spread)):
            plain = text.removesuffix("%").replace(",", "")
            number = float(parse(plain).value)
            rows.append((arm.environment, arm.method, name, plain, number, decimals(plain)))
    columns = ["environment", "method", "quantity", "value", "number", "decimals"]
    return pd.DataFrame(rows, columns=columns)


def cell_of(claim: Claim, by_id: ById) -> Claim:
    """The claim that says whose number this is: a mean itself, else the arm (or the new arm) that it is about."""
    while claim.kind != "mean":
        named = claim.role("arm") or claim.role("new")
        if not named:
            return claim
        claim = by_id[named[0]]
    return claim


def _written_id(entry: Any) -> str | None:
    """The id of an entry that may be no claim."""
    given = entry.get("id") if isinstance(entry, dict) else None
    return given if isinstance(given, str) else None


def _broken_references(
    claims: list[Claim], lines: Mapping[str, str], entries: list[Any]
) -> Iterator[str]:
    """References to claims that are not there, that go in a circle, or that lack what a check needs."""
    written = {_written_id(entry) for entry in entries}
    by_id = {claim.id: claim for claim in claims}
    for claim in claims:
        place = f"{lines[claim.id]}: {claim.id}"
        for name in dict.fromkeys(claim.references):
            if name not in written:
                yield f"{place}: refers to {name!r}, which is not there"
            elif name in by_id and by_id[name].value is None and name != claim.same_as:
                yield f"{place}: refers to {name!r}, which has no value"
        for name in dict.fromkeys(name for role in claim.of for name in claim.role(role)):
            if name in by_id:
                yield from (f"{place}: {said}" for said in _lacking(claim, by_id[name]))
    for circle in _circles(by_id):
        yield f"{lines[circle[0]]}: {circle[0]}: refers to itself in a circle: {' → '.join(circle)}"


def _lacking(claim: Claim, arm: Claim) -> Iterator[str]:
    """What a claim in a role lacks of what the kind needs of it."""
    needs = KINDS[claim.kind].arm
    kind = next((name for name in needs if name in KINDS), None)
    if kind is not None and arm.kind != kind:
        yield f"kind {claim.kind} takes a claim of kind {kind}; {arm.id!r} is of kind {arm.kind}"
    elif kind is None and arm.kind == "interval":
        yield f"kind {claim.kind} takes a number; {arm.id!r} is an interval"
    elif arm.kind == "mean":
        if "spread" in needs and (arm.value is None or arm.reported.spread is None):
            yield f'kind {claim.kind} needs the spread of {arm.id!r}: "{arm.value} ± …"'
        if "n" in needs and (arm.n is None or arm.n < 2):
            yield f"kind {claim.kind} needs n of {arm.id!r}, at least 2 (got {arm.n})"


def _circles(by_id: ById) -> Iterator[list[str]]:
    """Every chain of references that leads back to where it began, once, from its first claim in the file."""
    done: set[str] = set()
    for start in by_id:
        chain: dict[str, Iterator[str]] = {}
        here: str | None = start
        while here is not None or chain:
            if here is not None and here in chain:
                names = list(chain)
                yield [*names[names.index(here) :], here]
                here = None
            elif here is not None and here in by_id and here not in done:
                chain[here] = iter(dict.fromkeys(by_id[here].references))
            last = next(reversed(chain), None)
            if last is None:
                break
            here = next(chain[last], None)
            if here is None:
                done.add(last)
                del chain[last]


def _not_in_plan(claim: Claim, plan: Plan) -> Iterator[str]:
    """What a claim's cell or study names that experiments.yaml does not have."""
    if claim.study is not None and claim.study not in plan.studies:
        yield _unknown(claim, "study", claim.study, plan.studies)
    if claim.experiment is None:
        return
    if claim.first_method is None:
        yield from _arm_not_in_plan(
            claim, plan, claim.experiment, claim.method, (claim.environment,)
        )
        return
    for arm in claim.compared:
        yield from _arm_not_in_plan(
            claim, plan, str(arm.experiment), arm.method, claim.environments, arm.setting
        )


def _arm_not_in_plan(
    claim: Claim,
    plan: Plan,
    name: str,
    method: str | None,
    environments: tuple[str | None, ...],
    setting: Mapping[str, float] = MappingProxyType({}),
) -> Iterator[str]:
    """What one arm of a claim names that experiments.yaml does not have."""
    if name not in plan.experiments:
        yield _unknown(claim, "experiment", name, plan.experiments)
        return
    experiment = plan.experiments[name]
    planned = {place: None for steps in experiment.steps.values() for place in steps}
    if method not in experiment.methods:
        yield _unknown(claim, "method", method, experiment.methods)
    for environment in environments:
        if environment not in planned:
            yield _unknown(claim, "environment", environment, planned)
    if claim.over is not None and claim.over not in experiment.grid:
        yield _unknown(claim, "over", claim.over, experiment.grid)
    for key, value in setting.items():
        if key not in experiment.grid:
            yield _unknown(claim, "setting", key, experiment.grid)
        elif value not in experiment.grid[key]:
            yield _unknown(claim, f"setting of {key}", value, map(str, experiment.grid[key]))


def _unknown(claim: Claim, key: str, value: float | str | None, allowed: Any) -> str:
    return f"{claim.id}: {key}: {value!r} is not in experiments.yaml; allowed: {', '.join(allowed) or 'none'}"
