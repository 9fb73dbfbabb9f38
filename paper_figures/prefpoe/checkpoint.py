"""The one checkpoint that the study `deployment` plays, and what sets it apart from the training seeds beside it."""

from __future__ import annotations

from paper_figures.artifact import Request
from paper_figures.prefpoe.studies import Deployment

STUDY = "deployment"


def populations(request: Request) -> str:
    """In which experiment the checkpoint was trained and in which the training seeds were, in words."""
    seed = request.study_settings(STUDY, Deployment).seed
    (source,) = request.plan.studies[STUDY].experiments
    first, second = (
        request.plan.scale_of(request.scale, name).seeds for name in (source, request.experiment)
    )
    trained = request.plan.shards(request.scale, request.experiment)
    anew = not {shard.hash for shard in trained} & {
        shard.hash for shard in request.plan.shards(request.scale, source)
    }
    both = [str(each) for each in second if anew and each in first]
    again = (
        f", which trained seeds {', '.join(both)} anew in another population, so that their runs are not bitwise equal to those of {source}"
        if both
        else ""
    )
    return (
        f"The checkpoint is of training seed {seed} of experiment {source}; "
        f"training seeds are those of experiment {request.experiment}{again}."
    )
