"""Environments of our own: name → simulator of a batch of copies, made from their seeds."""

from envs.native.probes import ProbeSign, ProbeTarget

NATIVE = {"ProbeTarget-v0": ProbeTarget, "ProbeSign-v0": ProbeSign}
