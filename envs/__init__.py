"""Worlds: what an environment is (registry), and how a batch of them is stepped (pool)."""
