"""Investigating Mixture Policies in Entropy-Regularized Actor-Critic (anonymous, under double-blind review)."""
