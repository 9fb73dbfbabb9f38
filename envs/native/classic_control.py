"""Classic control with continuous actions, and its variants: the same dynamics paid differently.

Pendulum is Gym's Pendulum-v1; Acrobot and MountainCar are Gym's, with a continuous action as in the public code of
Neumann et al. (2022), GreedyAC (github.com/samuelfneumann/GreedyAC, commit 1832599). Names follow the mixture-policies
paper (Appendices D.2 and E.6): "Shaped" marks a shaped reward. A change of behaviour takes a new name, because a
record's identity names its environment. Shape keys as in `batch`; angles in radians, speeds in radians a second
(MountainCar: of one step).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from envs.native.batch import Dynamics


def wrap(angle: Tensor) -> Tensor:
    """The same angle in [−π, π]; one that lies there already keeps its bits."""
    return angle - 2 * math.pi * (angle / (2 * math.pi)).round()


class ShapedPendulum(Dynamics):
    """Gym's Pendulum-v1: state (θ, ω), θ = 0 upright; pays −(θ² + ω²/10 + u²/1000) of the state *before* the step.

    ω' = clip(ω + (15 sin θ + 3 u) Δt, ±8), θ' = θ + ω' Δt, Δt = 0.05, |u| ≤ 2; it never terminates. Starts
    uniformly in [−π, π] × [−1, 1]; observed as (cos θ, sin θ, ω).
    """

    action_low, action_high = -2.0, 2.0
    observation_low, observation_high = (-1.0, -1.0, -8.0), (1.0, 1.0, 8.0)
    draws = 2

    gravity, time_step, speed_limit = 10.0, 0.05, 8.0

    def initial(self, uniforms: Tensor) -> Tensor:
        """θ ~ U[−π, π], ω ~ U[−1, 1]."""
        return (2 * uniforms - 1) * uniforms.new_tensor(((math.pi,), (1.0,)))

    def move(self, state: Tensor, action: Tensor) -> Tensor:
        """Semi-implicit Euler; θ is not wrapped."""
        theta, omega = state.unbind()
        push = 1.5 * self.gravity * theta.sin() + 3 * action[0]
        omega = (omega + push * self.time_step).clamp(-self.speed_limit, self.speed_limit)
        return torch.stack((theta + omega * self.time_step, omega))

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """−(θ² + ω²/10 + u²/1000), θ in [−π, π]."""
        theta, omega = state.unbind()
        return -(wrap(theta).square() + 0.1 * omega.square() + 0.001 * action[0].square())

    def observe(self, state: Tensor) -> Tensor:
        """(cos θ, sin θ, ω)."""
        theta, omega = state.unbind()
        return torch.stack((theta.cos(), theta.sin(), omega))


class Pendulum(ShapedPendulum):
    """Pays 1 while the pendulum is within 0.25 rad of upright, else 0 (Appendix D.2)."""

    zone = 0.25

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """1 if |θ| < 0.25 before the step, where Pendulum-v1's reward looks (paper.yaml: Pendulum's reward)."""
        upright: Tensor = wrap(state[0]).abs() < self.zone
        return upright.to(state.dtype)


class GreedyACPendulum(Dynamics):
    """GreedyAC's pendulum, the paper's "Pendulum-v2": state and observation (θ, ω), pays cos θ', never terminates.

    Hangs at rest at θ = −π first. As in that code and Gym's Pendulum-v0, θ moves with the new speed before this
    is clipped to ±8, and θ is wrapped. |u| ≤ 2, Δt = 0.05.
    """

    action_low, action_high = -2.0, 2.0
    observation_low, observation_high = (-math.pi, -8.0), (math.pi, 8.0)
    draws = 0

    gravity, time_step, speed_limit = 10.0, 0.05, 8.0

    def initial(self, uniforms: Tensor) -> Tensor:
        """θ = −π, ω = 0."""
        return uniforms.new_tensor(((-math.pi,), (0.0,))).repeat(1, uniforms.shape[1])

    def move(self, state: Tensor, action: Tensor) -> Tensor:
        """Euler; written with sin(θ + π), so that hanging at −π is an equilibrium to the bit."""
        theta, omega = state.unbind()
        push = -1.5 * self.gravity * (theta + math.pi).sin() + 3 * action[0]
        omega = omega + push * self.time_step
        theta = wrap(theta + omega * self.time_step)
        return torch.stack((theta, omega.clamp(-self.speed_limit, self.speed_limit)))

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """cos θ after the step."""
        return successor[0].cos()


class Acrobot(Dynamics):
    """Gym's Acrobot-v1 with a continuous torque |u| ≤ 1: state and observation (θ₁, θ₂, ω₁, ω₂), θ₁ = 0 hanging.

    Pays −1 a step, 0 on termination: the tip more than one link above the pivot, −cos θ₁ − cos(θ₁ + θ₂) > 1.
    Equations of Sutton and Barto's book, one Runge–Kutta step of 0.2 s; then angles are wrapped and speeds
    clipped to ±4π and ±9π. Starts at exactly 0, as in GreedyAC's code; Gym's start is random.
    """

    action_low, action_high = -1.0, 1.0
    observation_low = (-math.pi, -math.pi, -4 * math.pi, -9 * math.pi)
    observation_high = (math.pi, math.pi, 4 * math.pi, 9 * math.pi)
    draws = 0

    time_step = 0.2
    # Links of mass 1, length l = 1 and inertia 1, centres of mass at l_c = 0.5, gravity 9.8.
    gravity = 9.8

    def initial(self, uniforms: Tensor) -> Tensor:
        """Hanging at rest."""
        return uniforms.new_zeros((4, uniforms.shape[1]))

    def move(self, state: Tensor, action: Tensor) -> Tensor:
        """One step of the classical Runge–Kutta method."""
        torque, step = action[0], self.time_step
        first = self._slope(state, torque)
        second = self._slope(torch.add(state, first, alpha=step / 2), torque)
        third = self._slope(torch.add(state, second, alpha=step / 2), torque)
        fourth = self._slope(torch.add(state, third, alpha=step), torque)
        slope = torch.add(first + fourth, second + third, alpha=2)
        moved = torch.add(state, slope, alpha=step / 6)
        fastest_1, fastest_2 = self.observation_high[2:]
        omega_1 = moved[2].clamp(-fastest_1, fastest_1)
        omega_2 = moved[3].clamp(-fastest_2, fastest_2)
        return torch.stack((*wrap(moved[:2]), omega_1, omega_2))

    def _slope(self, state: Tensor, torque: Tensor) -> Tensor:
        """Time derivative [4, N] of `state` under `torque` [N]: the book's d₁, d₂, φ₁, φ₂ with the constants above."""
        theta_1, theta_2, omega_1, omega_2 = state.unbind()
        bend, coupling = theta_2.cos(), theta_2.sin() * 0.5
        d_1, d_2 = bend + 3.5, bend * 0.5 + 1.25
        phi_2 = (theta_1 + theta_2).sin() * (0.5 * self.gravity)
        phi_1 = torch.add(phi_2, theta_1.sin(), alpha=1.5 * self.gravity)
        phi_1 = phi_1 - coupling * omega_2 * torch.add(omega_2, omega_1, alpha=2)
        ratio = d_2 / d_1
        push = torque + ratio * phi_1 - coupling * omega_1 * omega_1 - phi_2
        alpha_2 = push / (1.25 - d_2 * ratio)
        alpha_1 = (d_2 * alpha_2 + phi_1) / -d_1
        return torch.stack((omega_1, omega_2, alpha_1, alpha_2))

    def height(self, state: Tensor) -> Tensor:
        """Height of the tip above the pivot in links, [N]: −cos θ₁ − cos(θ₁ + θ₂)."""
        return -state[0].cos() - (state[0] + state[1]).cos()

    def terminated(self, state: Tensor) -> Tensor:
        """Where the tip is more than one link above the pivot."""
        return self.height(state) > 1.0

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """−1, and 0 on termination."""
        return over.to(state.dtype) - 1


class ShapedAcrobot(Acrobot):
    """Pays how far the tip is below the goal, −cos θ₁ − cos(θ₁ + θ₂) − 1 (Appendix D.2); terminates as Acrobot."""

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """−cos θ₁ − cos(θ₁ + θ₂) − 1 after the step."""
        return self.height(successor) - 1


class MountainCar(Dynamics):
    """Gym's MountainCarContinuous-v0, paid −1 a step, the last one too: state and observation (x, ẋ).

    ẋ' = clip(ẋ + force · u − 0.0025 cos 3x, ±0.07), x' = clip(x + ẋ', −1.2, 0.6), ẋ' = 0 at the left wall;
    |u| ≤ 1. Starts at rest at x ~ U[−0.6, −0.4]; terminates at x ≥ goal.
    """

    action_low, action_high = -1.0, 1.0
    observation_low, observation_high = (-1.2, -0.07), (0.6, 0.07)
    draws = 1

    force, goal = 0.0015, 0.45

    def initial(self, uniforms: Tensor) -> Tensor:
        """x ~ U[−0.6, −0.4], ẋ = 0."""
        return torch.cat((0.2 * uniforms - 0.6, torch.zeros_like(uniforms)))

    def move(self, state: Tensor, action: Tensor) -> Tensor:
        """One step of a unit of time; the left wall is inelastic, the right one lies behind the goal."""
        (left, _), (right, fastest) = self.observation_low, self.observation_high
        position, speed = state.unbind()
        speed = speed + self.force * action[0] - 0.0025 * (3 * position).cos()
        speed = speed.clamp(-fastest, fastest)
        position = (position + speed).clamp(left, right)
        speed = torch.where((position == left) & (speed < 0), 0.0, speed)
        return torch.stack((position, speed))

    def terminated(self, state: Tensor) -> Tensor:
        """Where the car is at the goal or beyond; it gets there only with ẋ > 0."""
        return state[0] >= self.goal

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """−1, at the goal too."""
        return torch.full_like(state[0], -1.0)


class ShapedMountainCar(MountainCar):
    """Pays x − 0.6 (Appendix D.2); terminates as MountainCar."""

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """x − 0.6 after the step."""
        return successor[0] - 0.6


class WeakMountainCar(MountainCar):
    """With force and goal of Gym's discrete MountainCar-v0 (paper.yaml: MountainCar)."""

    force, goal = 0.001, 0.5
