"""What the record of the numerical study decides about the paper's statements, as a file for the audit."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from algorithms.records import StudyRecord
from analysis.audit.answers import Answer, Decide, command_line
from paper_figures.mixture.found import read_trials, statements, summary


def numerical_study(record: StudyRecord) -> Mapping[str, Answer]:
    """Each of `found.STATEMENTS`, as the table of the numerical study has it."""
    return {
        row.claim: Answer(
            holds=None if row.holds is None else bool(row.holds),
            statement=row.statement,
            found=row.found,
        )
        for row in statements(summary(read_trials(record))).itertuples()
    }


STUDIES: dict[str, Decide] = {"numerical_study": numerical_study}

if __name__ == "__main__":
    sys.exit(command_line(STUDIES, __doc__ or ""))
