"""Investigating Mixture Policies in Entropy-Regularized Actor-Critic (anonymous, under double-blind review)."""

POLICIES = {"gaussian": "Gaussian", "gaussian_mixture": "Gaussian mixture"}
"""The policies of the numerical study and what figures call them."""
