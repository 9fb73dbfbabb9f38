"""Generic rules: what each explains, and what it must leave alone."""

from __future__ import annotations

import pytest

from analysis.audit.numeral_rules import RULES
from analysis.audit.numerals import NUMERAL, normalise, printed


def ruled(rule: str, text: str) -> list[str]:
    """The numerals of `text` that a rule, by its name, explains."""
    spans = list(RULES[rule](normalise(text)))
    found = []
    for match in NUMERAL.finditer(normalise(text)):
        digit = match.start() + next(i for i, x in enumerate(match[0]) if x.isdecimal())
        if any(begin <= digit < end for begin, end in spans):
            found.append(printed(match[0]))
    return found


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("reference list", "in 9 runs\n\n# REFERENCES\n\nA. Author, 2019. pp. 1-9\n\nA PROOFS\n\nof 4", ["2019", "1", "9"]),
        ("reference list", "## References\n\nB, 12:3\n\n## Appendix\n\n5 seeds", ["12", "3"]),
        ("reference list", "The references 12 and 13", []),
        ("citation year", "(Haarnoja et al., 2018a; Ho & Johnson, 2012)", ["2018", "2012"]),
        ("citation year", "Kingma & Ba (2014) and (Bedi et al., 2024), (Team, 2024b)", ["2014", "2024", "2024"]),
        ("citation year", "after 2000 steps, 2000 episodes (2048 of them), PPO 2000, Ant 1999.", []),
        ("address", "https://a.org/2024/7 arXiv preprint arXiv:1706.03741 and 5", ["2024", "7", "1706.03741"]),
        ("equation number", "$$a = 2 \\quad (5)$$ By (5), std (59)", ["5", "5"]),
        ("equation number", "$$a \\tag{9}$$\nfrom (9) and f(9)", ["9", "9"]),
        ("equation number", "$$a$$\n(2)\n\nin (2) of 3 runs (4)", ["2", "2"]),
        ("heading number", "5.1 VALIDATION\nE.3.1 PROOF OF IT\n## 4 Runs\n**CONCLUSIONS** 6", ["5.1", "3.1", "4", "6"]),
        ("heading number", "3.1 Optimality of Points", ["3.1"]),
        ("heading number", "5 seeds were used.\n2.5 Times faster than 3 others.\nReward\t24\t26", []),
        ("label", "Figure A.3, Section 5.2, Appendix E.1, Theorem 1, Eq. 31, Phase 2", ["3", "5.2", "1", "1", "31", "2"]),
        ("label", "Assumptions 4.1, 4.2, and 4.4 hold; Figures A.3 and A.4", ["4.1", "4.2", "4.4", "3", "4"]),
        ("label", "Table 2 and 5 seeds; experiment 5.3 with experiments 10 times", ["2", "5.3"]),
        ("footnote mark", "repository¹ and 5<sup>2</sup>", ["1", "2"]),
        ("identifier", "HalfCheetah-v4, CartPole-v1, GPT-4. Walker2D, L2, 2F-85", ["4", "1", "4", "2", "2", "2", "85"]),
        ("identifier", "RTX 3090, Ryzen 9 5900X 12-Core", ["3090", "9", "5900"]),
        ("identifier", r"Gemma 2B post-1.5M CPU-10K 217\pm59 8-dimensional 1h40m x3", []),
        ("listing", "```\n1: init\n3: for i = 1 to N do\n  take 5 steps\n```\n1: no", ["1", "3", "1"]),
        ("enumeration", "keys: 1) *fast*; 2) stable (at most 5) runs\n3. Third", ["1", "2", "3"]),
        ("mathematics", "$$a_{0.5} = 1 + 0.5 = 2$$ and 3", ["0.5", "1", "2"]),
        ("mathematics", r"$x_1^{2}$ \beta_1 $\frac{1}{2}$ $1 - \alpha$ $\mathcal{N}(0, 1)$", ["1", "2", "1", "1", "2", "1", "0", "1"]),
        ("mathematics", r"$k = 1, \dots, N$ $p(S = 1)$ $\{y\}_{i=1}^{9}$", ["1", "1", "1", "9"]),
        ("mathematics", r"$\lambda = 0.95$ $1276 \pm 67$ $p < 0.001$ $\alpha \in (0.2, 0.45]$", []),
        ("mathematics", r"$\{-3, 0\}$ $\kappa \in \{10^{-2}, 1\}$ $+1.0$ $x - 0.6$ $(> 1.0)$", []),
    ],
)  # fmt: skip
def test_each_rule_explains_its_own_and_nothing_else(
    rule: str, text: str, expected: list[str]
) -> None:
    assert ruled(rule, text) == expected
