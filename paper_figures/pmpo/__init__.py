"""PMPO: preference optimisation from accepted and rejected responses alike."""
