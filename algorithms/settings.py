"""Every method's hyperparameters, their ranges, and the method's `version`.

A field marked `PerMember` may differ between the members of one population (it becomes a tensor over
members); every other field shapes the computation and is shared. Importing this module loads no torch.

`version` is raised by hand when a method's behaviour changes: records of an older version become stale.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from algorithms.estimator_rules import Base, EstimatorName, Weights, check_estimator
from algorithms.specification import SpecificationError, Strict


class PerMember:
    """Marks a hyperparameter that may differ between members of one population."""


@dataclass(frozen=True)
class Later:
    """Marks a hyperparameter that records are older than; at `before` it stays out of their identity.

    `before` is what every method did before it existed, so that adding it makes no record stale. It never changes,
    even if the default does.
    """

    before: Any


def _number(value: Any) -> Any:
    """Refuse true and false where a number is meant; pydantic would read them as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _increasing(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] >= ends[1]:
        raise ValueError(f"{ends} must be (low, high) with low < high")
    return ends


Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[Number, Field(gt=0, allow_inf_nan=False), PerMember()]
NonNegative = Annotated[Number, Field(ge=0, allow_inf_nan=False), PerMember()]
Bound = Annotated[Number, Field(gt=0, allow_inf_nan=False)]
UnitInterval = Annotated[Number, Field(ge=0, le=1), PerMember()]
Count = Annotated[int, BeforeValidator(_number), Field(ge=1)]
NotNegative = Annotated[int, BeforeValidator(_number), Field(ge=0)]
LogStdRange = Annotated[tuple[Number, Number], AfterValidator(_increasing)]
LaterFlag = Annotated[bool, Later(before=False)]
Once = Annotated[Count, Later(before=1)]
Labelling = Literal["halves", "extremes"]
"""Keys of `improvement.LABELS`: how samples are accepted and rejected by what they are worth."""


class Settings(Strict):
    """What all methods' settings share: frozen, no unknown keys, per-member fields known by name."""

    family: ClassVar[str]

    @property
    @abstractmethod
    def iteration_steps(self) -> int:
        """Environment steps of one member in one iteration, after which diagnostics are booked."""

    @property
    @abstractmethod
    def actions_per_iteration(self) -> int:
        """How often a member's policy is asked for actions in one iteration."""

    @property
    @abstractmethod
    def updates_per_iteration(self) -> int:
        """Gradient steps of one member in one iteration."""

    @property
    def copies(self) -> int:
        """Environments that one member steps at once."""
        return 1

    @property
    def normalizes(self) -> tuple[bool, bool]:
        """Whether observations, and whether rewards, are divided by running statistics."""
        return False, False

    def schedules(self, passed: float) -> dict[str, float]:
        """What scheduled hyperparameters are multiplied by after the fraction `passed` of training."""
        return {}

    @property
    def unread(self) -> Mapping[str, str]:
        """Settings that nothing reads where others are as they are, each with the reason."""
        return {}

    @classmethod
    def per_member(cls) -> tuple[str, ...]:
        """Names of the hyperparameters that may differ between members."""
        return tuple(
            name
            for name, field in cls.model_fields.items()
            if any(isinstance(mark, PerMember) for mark in field.metadata)
        )

    def content(self) -> dict[str, Any]:
        """What enters a record's identity: every hyperparameter but those `Later` ones that are as before."""
        as_before = {
            name
            for name, field in type(self).model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Later) and getattr(self, name) == mark.before
        }
        return self.model_dump(mode="json", exclude=as_before)


class PPO(Settings):
    """Proximal policy optimisation; defaults are CleanRL's `ppo_continuous_action`.

    `backbone` is "separate" where the critic is a network of its own, "shared" where it is a linear layer
    on the policy's encoder. A_norm is normalised over each "minibatch" as it is used (CleanRL) or once over the
    whole "batch". `advantage_noise` corrupts advantages after GAE: each gets independent Gaussian noise of
    so many standard deviations of its rollout's advantages; value targets stay as they are.
    """

    family: ClassVar[str] = "ppo"

    learning_rate: Positive = 3e-4
    gamma: UnitInterval = 0.99
    gae_lambda: UnitInterval = 0.95
    clip: Positive = 0.2
    value_coefficient: NonNegative = 0.5
    entropy_coefficient: NonNegative = 0.0
    max_grad_norm: Positive = 0.5
    adam_epsilon: Positive = 1e-5

    environments: Count = 1
    rollout_steps: Count = 2048
    minibatches: Count = 32
    epochs: Count = 10
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 64)
    backbone: Literal["separate", "shared"] = "separate"
    mean: Literal["linear", "tanh"] = "linear"
    initial_log_std: Annotated[Number, Field(ge=-20, le=2)] = 0.0
    anneal_learning_rate: bool = True
    anneal_clip: bool = False
    clip_value_loss: bool = True
    bootstrap_truncation: bool = False
    normalize_observations: bool = True
    normalize_rewards: bool = True
    advantage_normalization: Annotated[Literal["minibatch", "batch"], Later("minibatch")] = (
        "minibatch"
    )
    advantage_noise: Annotated[NonNegative, Later(0.0)] = 0.0

    @property
    def batch_size(self) -> int:
        """Transitions that one member collects before each round of updates."""
        return self.environments * self.rollout_steps

    @property
    def minibatch_size(self) -> int:
        """Transitions in one gradient step of one member."""
        return self.batch_size // self.minibatches

    @property
    def iteration_steps(self) -> int:
        """One rollout."""
        return self.batch_size

    @property
    def actions_per_iteration(self) -> int:
        """One for each step of the rollout."""
        return self.rollout_steps

    @property
    def updates_per_iteration(self) -> int:
        """One for each minibatch of each epoch."""
        return self.epochs * self.minibatches

    @property
    def copies(self) -> int:
        """Environments that one member steps at once."""
        return self.environments

    @property
    def normalizes(self) -> tuple[bool, bool]:
        """As the settings say."""
        return self.normalize_observations, self.normalize_rewards

    def schedules(self, passed: float) -> dict[str, float]:
        """What scheduled hyperparameters are multiplied by after the fraction `passed` of training."""
        annealed = {"learning_rate": self.anneal_learning_rate, "clip": self.anneal_clip}
        return {name: 1 - passed for name, on in annealed.items() if on}

    @model_validator(mode="after")
    def _agree(self) -> PPO:
        if self.batch_size % self.minibatches:
            raise ValueError(
                f"environments × rollout_steps = {self.batch_size} must be a multiple of "
                f"minibatches = {self.minibatches}"
            )
        if self.minibatch_size < 2:
            raise ValueError(
                "minibatches leaves one transition each; advantages are normalised over at least 2"
            )
        if self.environments > 1 and (self.normalize_observations or self.normalize_rewards):
            raise ValueError(
                f"environments = {self.environments} contradicts normalize_observations or "
                "normalize_rewards: running statistics belong to one environment"
            )
        return self


class PrefPoE(PPO):
    """PPO with a preference expert fused into the policy (PrefPoE, Eq. 1–7).

    `fusion` says how rollouts, ratio and evaluation see the two experts: "product" (Eq. 5, 7),
    "average" (Table 2's linear fusion) or "none" (the main policy alone). `std` is "head" for
    log-std as a function of the state (Eq. 1), "parameter" for one free vector; both start at
    `initial_log_std`. `entropy_sign` is the sign of α·H in the preference loss: −1 in Eq. 2, +1 in Eq. 16.
    `detach_fused` keeps the gradient of L_cons from π_fused, hence from the main head; `detach_encoder` that of
    L_pref from the shared encoder. `fusion_schedule` lets λ rise linearly from 0 to `fusion_weight` over
    training, or fall from it to 0; the deterministic final policy has the schedule's last λ.
    """

    family: ClassVar[str] = "prefpoe"

    beta_1: NonNegative = 0.2
    alpha: NonNegative = 0.2
    fusion_weight: Positive = 0.4
    consistency_coefficient: NonNegative = 0.063
    preference_coefficient: NonNegative = 0.032

    fusion: Literal["product", "average", "none"] = "product"
    std: Literal["head", "parameter"] = "head"
    std_range: tuple[Bound, Bound] | None = None
    precision_epsilon: Annotated[Number, Field(ge=0, allow_inf_nan=False)] = 0.0
    entropy_sign: Literal[-1, 1] = -1
    detach_fused: LaterFlag = False
    detach_encoder: LaterFlag = False
    fusion_schedule: Annotated[Literal["constant", "rising", "falling"], Later("constant")] = (
        "constant"
    )

    def schedules(self, passed: float) -> dict[str, float]:
        """As for PPO, and the fusion weight λ."""
        scheduled = super().schedules(passed)
        if self.fusion_schedule == "rising":
            return scheduled | {"fusion_weight": passed}
        if self.fusion_schedule == "falling":
            return scheduled | {"fusion_weight": 1 - passed}
        return scheduled

    @model_validator(mode="after")
    def _ordered_range(self) -> PrefPoE:
        if self.std_range is not None and self.std_range[0] >= self.std_range[1]:
            raise ValueError(f"std_range = {self.std_range} must be (low, high) with low < high")
        return self

    @model_validator(mode="after")
    def _weight_to_schedule(self) -> PrefPoE:
        if self.fusion_schedule != "constant" and self.fusion != "product":
            raise ValueError(
                f"fusion_schedule = {self.fusion_schedule!r} has no weight to change with "
                f"fusion = {self.fusion!r}; allowed: constant"
            )
        return self


class Replayed(Settings):
    """What methods that learn from replay share: an update with a batch from it after every `update_period` steps.

    Actions are uniform for `initial_steps`; updates begin once `update_after` steps are made and a batch is stored.
    `target_rate` τ is how far the slow copies move after every `target_period` updates. Returns are of `return_steps` steps
    before the critic's value follows.

    A critic that is `exact`, where a method has it, knows what one kind of bandit pays: those that a member's seed draws
    (`knows_drawn`), or the functions of envs/native/functions.py.
    """

    knows_drawn: ClassVar[bool] = False

    gamma: UnitInterval = 0.99
    target_rate: UnitInterval = 0.005
    adam_epsilon: Positive = 1e-8

    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 256)
    batch_size: Count = 100
    buffer_size: Count = 1_000_000
    initial_steps: NotNegative = 10_000
    update_after: NotNegative = 1_000
    update_period: Once = 1
    target_period: Once = 1
    return_steps: Once = 1

    @property
    def iteration_steps(self) -> int:
        """A hundred: diagnostics are means over the updates within."""
        return 100

    @property
    def actions_per_iteration(self) -> int:
        """One for each step."""
        return self.iteration_steps

    @property
    def updates_per_iteration(self) -> int:
        """One after every `update_period` steps."""
        return self.iteration_steps // self.update_period

    @property
    def first_update(self) -> int:
        """How many transitions must have been stored before the first update."""
        return max(self.batch_size, self.update_after, self.return_steps)

    @model_validator(mode="after")
    def _room_for_a_batch(self) -> Replayed:
        for name in ("batch_size", "return_steps"):
            if self.buffer_size < getattr(self, name):
                raise ValueError(
                    f"buffer_size = {self.buffer_size} is less than {name} = {getattr(self, name)}"
                )
        return self

    @model_validator(mode="after")
    def _updates_in_every_iteration(self) -> Replayed:
        if self.iteration_steps % self.update_period:
            raise ValueError(
                f"update_period = {self.update_period} must divide {self.iteration_steps}, the steps of an iteration"
            )
        return self


class SAC(Replayed):
    """Soft actor-critic (Haarnoja et al. 2018) with a policy and an estimator of its gradient; defaults are MuJoCo's.

    The policy is a mixture of `components` of the `base`, squashed by tanh unless `squashed` is false; its weights are
    learned or stay uniform. The critic is `exact` where it is a bandit's reward itself. `estimator` names how the actor climbs (`estimators.py`). With `automatic_alpha` the entropy
    scale starts at `alpha` and moves so that the entropy is minus the number of action dimensions. The actor's step
    size is `actor_step_ratio` (κ) times the critic's. `jacobian_floor` δ makes tanh's Jacobian 1 − a² + δ, without which a
    squashed Cauchy has no entropy.
    """

    family: ClassVar[str] = "sac"
    knows_drawn: ClassVar[bool] = True

    critic_learning_rate: Positive = 3e-4
    actor_step_ratio: Positive = 1.0
    alpha_learning_rate: Positive = 3e-4
    alpha: Positive = 1.0
    gumbel_temperature: Positive = 1.0

    base: Base = "normal"
    squashed: bool = True
    components: Count = 1
    weights: Weights = "learned"
    estimator: EstimatorName = "reparameterized"
    critic: Literal["learned", "exact"] = "learned"
    baseline_actions: Count = 30
    automatic_alpha: bool = True
    log_std_range: LogStdRange = (-20.0, 2.0)
    jacobian_floor: Annotated[Number, Field(ge=0, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> SAC:
        check_estimator(self.estimator, self.components, self.weights)
        if self.critic == "exact" and self.automatic_alpha:
            raise ValueError("critic = 'exact' goes with a fixed α: set automatic_alpha to false")
        return self


class GreedyAC(Replayed):
    """GreedyAC (Neumann et al. 2022) with a Gaussian mixture of `components`; defaults are classic control's.

    Of `proposal_actions` (N) that the proposal samples, the policies learn the likelihood of the `kept_actions` (⌈ρN⌉)
    that the critic values most; `alpha` scales the proposal's entropy, whose gradient is the `intended` one or that of
    the `released` code. Both policies' step size is `actor_step_ratio` (κ) times the critic's.
    """

    family: ClassVar[str] = "greedy_ac"

    critic_learning_rate: Positive = 1e-3
    actor_step_ratio: Positive = 1.0
    alpha: NonNegative = 0.1
    target_rate: UnitInterval = 0.01

    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 64)
    batch_size: Count = 32
    buffer_size: Count = 100_000
    initial_steps: NotNegative = 0
    update_after: NotNegative = 0

    components: Count = 1
    proposal_actions: Count = 30
    kept_actions: Count = 3
    entropy_gradient: Literal["intended", "released"] = "intended"
    log_std_range: LogStdRange = (-6.908, 6.908)

    @model_validator(mode="after")
    def _kept_of_the_sampled(self) -> GreedyAC:
        if self.kept_actions > self.proposal_actions:
            raise ValueError(
                f"kept_actions = {self.kept_actions} is more than "
                f"proposal_actions = {self.proposal_actions}"
            )
        return self


class MPO(Replayed):
    """Maximum a posteriori policy optimisation (Abdolmaleki et al. 2018), and learning from preferences in its place.

    Defaults are those of acme's rl_continuous/run_mpo.py. The reference policy, a copy that is renewed every
    `target_period` updates, proposes `actions_per_state` actions; `improvement` says how the policy learns from what the
    critic says of them: "mpo", or an objective of `improvement.py` from `labels` (the better half accepted, or the extremes), or
    "none", which leaves the policy as it was drawn. α and β are those of Eq. 10 of the PMPO paper; DPO's and IPO's β is `beta`.

    Without `hidden` layers the policy is a free vector that sees no state; a bandit's critic may be `exact`. The bounds ε
    are those of MPO's temperature, of its decoupled mean and scale (or of the whole policy where it is discretised), and of the
    penalty for actions out of bounds; those of a KL hold in each dimension.
    """

    family: ClassVar[str] = "mpo"

    learning_rate: Positive = 3e-4
    dual_learning_rate: Positive = 1e-2
    alpha: UnitInterval = 0.5
    beta: NonNegative = 0.5
    target_rate: UnitInterval = 1.0

    hidden: tuple[Count, ...] = (256, 256, 256)
    batch_size: Count = 256
    initial_steps: NotNegative = 0
    update_period: Once = 4
    target_period: Once = 100
    return_steps: Once = 4

    improvement: Literal["mpo", "pmpo", "dpo", "ipo", "none"] = "mpo"
    labels: Labelling = "halves"
    actions_per_state: Annotated[Count, Field(ge=2)] = 4
    policy: Literal["gaussian", "discretised"] = "gaussian"
    initial_std: Bound = 0.5
    bins: Annotated[Count, Field(ge=2)] = 21
    critic: Literal["learned", "exact"] = "learned"
    temperature_bound: Bound = 0.1
    mean_bound: Bound = 0.01
    std_bound: Bound = 1e-6
    policy_bound: Bound = 0.0025
    penalty_bound: Bound = 1e-3

    @property
    def unread(self) -> Mapping[str, str]:
        """What the improvement and the kind of policy leave out."""
        gaussian, mpo = self.policy == "gaussian", self.improvement == "mpo"
        names = ["bins"] if gaussian else ["initial_std"]
        reasons = dict.fromkeys(names, f"policy is {self.policy}")
        duals = ["dual_learning_rate", "temperature_bound", "mean_bound", "std_bound", "policy_bound", "penalty_bound"]  # fmt: skip
        if mpo:
            other = ["policy_bound"] if gaussian else ["mean_bound", "std_bound", "penalty_bound"]
            reasons |= dict.fromkeys(other, f"policy is {self.policy}")
        left_out = {
            "mpo": ["alpha", "beta", "labels"],
            "pmpo": duals,
            "dpo": ["alpha", *duals],
            "ipo": ["alpha", *duals],
            "none": ["alpha", "beta", "labels", *duals],
        }[self.improvement]
        return reasons | dict.fromkeys(left_out, f"improvement is {self.improvement}")

    @model_validator(mode="after")
    def _free_policy_of_a_bandit(self) -> MPO:
        if not self.hidden and self.critic == "learned":
            raise ValueError(
                "hidden is empty, and a policy that sees no state goes with critic = 'exact' alone"
            )
        return self


@dataclass(frozen=True)
class Method:
    """One arm: its settings before any override, what it serves, and how it is called in print."""

    label: str
    version: int
    settings: Settings
    action_kinds: tuple[Literal["continuous", "discrete"], ...] = ("continuous", "discrete")


def _replayed(label: str, settings: Replayed, version: int = 1) -> Method:
    return Method(label, version, settings, ("continuous",))


METHODS: dict[str, Method] = {
    "ppo": Method("PPO", 1, PPO()),
    "ppo_adaptive_clip": Method("PPO + adaptive clipping", 1, PPO(anneal_clip=True)),
    "ppo_matched": Method(
        "PPO, artefact's architecture",
        1,
        PPO(backbone="shared", mean="tanh", initial_log_std=-1.0),
        ("continuous",),
    ),
    "ppo_cleanrl_discrete": Method(
        "PPO, CleanRL discrete settings",
        1,
        PPO(
            learning_rate=2.5e-4,
            entropy_coefficient=0.01,
            environments=4,
            rollout_steps=128,
            minibatches=4,
            epochs=4,
            normalize_observations=False,
            normalize_rewards=False,
        ),
        ("discrete",),
    ),
    "linear_fusion": Method("PPO + linear fusion", 1, PrefPoE(fusion="average")),
    "preference_network": Method(
        "PPO + preference network", 1, PrefPoE(fusion="none", consistency_coefficient=0.0)
    ),
    "preference_network_clamped": Method(
        "PPO + preference network, clamped",
        1,
        PrefPoE(fusion="none", consistency_coefficient=0.0, std_range=(1e-3, 2.0)),
    ),
    "ppo_state_std": Method(
        "PPO, equations' architecture",
        1,
        PrefPoE(fusion="none", consistency_coefficient=0.0, preference_coefficient=0.0),
    ),
    "poe_no_advantage": Method("PoE without advantage (β₁ = 0)", 1, PrefPoE(beta_1=0.0)),
    "poe_no_preference_loss": Method(
        "PoE without preference loss (w_pref = 0)", 1, PrefPoE(preference_coefficient=0.0)
    ),
    "prefpoe": Method("PrefPoE (equations)", 1, PrefPoE()),
    "prefpoe_eq16": Method("PrefPoE (sign of Eq. 16)", 1, PrefPoE(entropy_sign=1)),
    "prefpoe_released": Method(
        "PrefPoE (released artefact)",
        1,
        PrefPoE(
            fusion_weight=1.0,
            backbone="shared",
            mean="tanh",
            std="parameter",
            initial_log_std=-1.0,
            std_range=(1e-3, 2.0),
            precision_epsilon=1e-8,
        ),
        ("continuous",),
    ),
    "like_squashed": _replayed("Like-Squashed", SAC(estimator="likelihood")),
    "rep_squashed": _replayed("Rep-Squashed", SAC(), 2),
    "like_sgm": _replayed("Like-SGM", SAC(components=5, estimator="likelihood")),
    "half_rep_sgm": _replayed("HalfRep-SGM", SAC(components=5, estimator="half")),
    "gumbel_rep_sgm": _replayed("GumbelRep-SGM", SAC(components=5, estimator="gumbel"), 2),
    "uniform_rep_sgm": _replayed("UniformRep-SGM", SAC(components=5, weights="uniform"), 2),
    "rep_cauchy": _replayed("Rep-Cauchy", SAC(base="cauchy", jacobian_floor=1e-6), 2),
    "half_rep_cm": _replayed(
        "HalfRep-CM", SAC(base="cauchy", jacobian_floor=1e-6, components=5, estimator="half")
    ),
    "gumbel_rep_cm": _replayed(
        "GumbelRep-CM", SAC(base="cauchy", jacobian_floor=1e-6, components=5, estimator="gumbel"), 2
    ),
    "greedy_ac_gm_1": _replayed("GreedyAC-GM (N=1)", GreedyAC()),
    "greedy_ac_gm_2": _replayed("GreedyAC-GM (N=2)", GreedyAC(components=2)),
    "greedy_ac_gm_5": _replayed("GreedyAC-GM (N=5)", GreedyAC(components=5)),
    "greedy_ac_gm_8": _replayed("GreedyAC-GM (N=8)", GreedyAC(components=8)),
    "greedy_ac_released": _replayed(
        "GreedyAC-GM (N=1), released entropy", GreedyAC(entropy_gradient="released")
    ),
    "mpo": _replayed("MPO", MPO()),
    "mpo_20": _replayed("MPO, 20 actions", MPO(actions_per_state=20)),
    "pmpo_ar": _replayed("PMPO-AR", MPO(improvement="pmpo")),
    "pmpo_a": _replayed("PMPO-A", MPO(improvement="pmpo", alpha=1.0, beta=0.0)),
    "pmpo_r": _replayed("PMPO-R", MPO(improvement="pmpo", alpha=0.0, beta=2.0)),
    "pmpo_r_no_kl": _replayed("PMPO-R without KL", MPO(improvement="pmpo", alpha=0.0, beta=0.0)),
    "pmpo_ar_extremes": _replayed(
        "PMPO-AR, best and worst", MPO(improvement="pmpo", labels="extremes")
    ),
    "dpo": _replayed("DPO", MPO(improvement="dpo", labels="extremes", beta=20.0)),
    "ipo": _replayed("IPO", MPO(improvement="ipo", labels="extremes")),
    "initial_policy": _replayed("Initial policy", MPO(improvement="none")),
}


def resolve(method: str, overrides: Mapping[str, Any]) -> Settings:
    """The method's settings with `overrides` applied and validated.

    Raises pydantic's ValidationError for an unknown key or a value out of range, and SpecificationError for a setting that nothing
    would read.
    """
    base = METHODS[method].settings
    settings = type(base).model_validate({**base.model_dump(), **overrides})
    require_read(settings, overrides, f"settings of {method}")
    return settings


def require_read(settings: Settings, names: Iterable[str], where: str) -> None:
    """Raise SpecificationError if nothing would read one of `names`: whoever sets it expects that it does something."""
    for name in names:
        if name in settings.unread:
            raise SpecificationError(
                f"{where}: nothing reads {name}, since {settings.unread[name]}"
            )


def on_policy(settings: Settings) -> PPO:
    """The settings of a method that learns from rollouts. Raises TypeError for others."""
    if not isinstance(settings, PPO):
        raise TypeError(f"{type(settings).__name__} does not learn from rollouts")
    return settings


def off_policy(settings: Settings) -> Replayed:
    """The settings of a method that learns from replay. Raises TypeError for others."""
    if not isinstance(settings, Replayed):
        raise TypeError(f"{type(settings).__name__} does not learn from replay")
    return settings
