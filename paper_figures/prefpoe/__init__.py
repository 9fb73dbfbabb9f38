"""PrefPoE: Advantage-Guided Preference Fusion for Learning Where to Explore (arXiv 2511.08241)."""
