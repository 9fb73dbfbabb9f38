"""A table of contents: one rule for each arrow of the data flow, each a plain `python -m …` command.

    snakemake all                            every paper at scale quick
    snakemake prefpoe                        one paper
    snakemake prefpoe_table_1                one table or figure
    snakemake plan                           train nothing, print what it takes
    snakemake recorded                       train nothing, draw what is recorded
    snakemake status                         how far everything is, what failed and where its log lies; trains nothing
    snakemake why                            what changed since each stale record was made; trains nothing
    snakemake audit                          what holds of everything that the papers claim; trains nothing
    snakemake all --config scale=paper       another scale; also paper=…, results=…, imported=….csv, device=…
"""

import shlex
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from algorithms.specification import SpecificationError
from analysis.progress import View
from analysis.workflow import EXPERIMENT_FILES, STATISTICS_CODE, read_request

# Cores that jobs have on this machine; none where they go to a cluster, whose nodes have memory and GPUs of their own.
LOCAL = workflow.resource_settings.cores

try:
    request = read_request(config)
    request.check_imports()
    request.check_records()
    if LOCAL:
        request.check_device()
    else:
        request = request.elsewhere()
except SpecificationError as error:
    sys.exit(f"error: {error}")

CORES, ROOM = LOCAL or 1, None
if LOCAL and "mem_mb" in workflow.global_resources:
    ROOM = workflow.global_resources["mem_mb"].value
# Jobs begin as long as their leases fit on this machine's GPUs together; which GPU each gets is decided by algorithms/devices.py.
if request.gpu_mb_limit and "gpu_mb" not in workflow.global_resources:
    workflow.register_resource("gpu_mb", request.gpu_mb_limit)

PYTHON = shlex.quote(sys.executable)
SCALE = request.scale
FOLDERS = [str(paper.folder) for paper in request.papers]
MEMORY = ["--memory-mb", str(ROOM)] if ROOM else []
IMPORTED = ["--imported", *map(str, request.imported)] if request.imported else []
DRAWN = f"{request.root}/{{paper}}{request.suffix}"
REPORT_CODE = [
    f"analysis/{name}"
    for name in ("report.py", "ledger.py", "attempts.py", "stale.py", "pages.py", "templates/report.html.j2")
]


# What takes seconds is not worth a cluster's queue.
localrules: all, report, plan, status, why, recorded, audit, witnesses, answers, released, choice, statistics, table, figure


wildcard_constraints:
    paper="|".join({*request.by_name, *(folder.name for folder in request.audited)}),
    environment="(?!studies/)[^/]+",
    method="[^/-]+",
    study="[^/-]+",
    hash="[0-9a-f]{12}",
    experiment="[^/]+",


rule all:
    input:
        [request.all_records(paper) for paper in request.by_name],
        [request.paper_files(paper) for paper in request.by_name],
        [request.report, request.ledger] if request.papers else [],


rule report:
    input:
        [request.paper_files(paper) for paper in request.by_name],
        REPORT_CODE,
    output:
        page=request.report,
        ledger=request.ledger,
    shell:
        "{PYTHON} -m analysis.report --papers {FOLDERS:q} --scale {SCALE}"
        " --results {request.results:q} --output {output.page:q} {IMPORTED:q}"


rule plan:
    threads: CORES
    shell:
        "{PYTHON} -m analysis.plan --papers {FOLDERS:q} --scale {SCALE}"
        " --results {request.results:q} --device {request.device} --cores {threads} {MEMORY:q}"


rule recorded:
    shell:
        "{PYTHON} -m paper_figures.recorded --papers {FOLDERS:q} --scale {SCALE}"
        " --results {request.results:q} {IMPORTED:q}"


rule status:
    shell:
        "{PYTHON} -m analysis.status --papers {FOLDERS:q} --scale {SCALE} --results {request.results:q}"


rule why:
    shell:
        "{PYTHON} -m analysis.stale --papers {FOLDERS:q} --results {request.results:q}"


# The audit has no output that Snakemake knows of: it takes seconds, and prints its summary whenever it is asked.
rule audit:
    input:
        request.evidence,
    params:
        folders=[str(folder) for folder in request.audited],
    shell:
        "{PYTHON} -m analysis.audit {params.folders:q} --evidence {input:q}"
        " --results {request.results:q} --output {request.audit:q}"


def module(wildcards):
    """A paper's folder as Python names it."""
    return ".".join(request.folder(wildcards.paper).parts)


rule witnesses:
    input:
        lambda wildcards: request.computing(wildcards.paper),
    output:
        f"{request.audit}/{{paper}}/witnesses.json",
    params:
        module=module,
    shell:
        "{PYTHON} -m {params.module}.witnesses --output {output:q}"


# A study's record answers claims at scale paper only; where none is there the file is empty.
rule answers:
    input:
        lambda wildcards: request.computing(wildcards.paper),
        lambda wildcards: request.folder(wildcards.paper) / "experiments.yaml",
        lambda wildcards: request.answering(wildcards.paper),
        "analysis/audit/answers.py",
    output:
        f"{request.audit}/{{paper}}/answers.json",
    params:
        module=module,
        folder=lambda wildcards: request.folder(wildcards.paper),
    shell:
        "{PYTHON} -m {params.module}.answers --paper {params.folder:q}"
        " --results {request.results:q} --output {output:q}"


rule released:
    input:
        lambda wildcards: request.computing(wildcards.paper),
        request.checkpoint or [],
    output:
        f"{request.audit}/{{paper}}/{request.released}",
    params:
        module=module,
        given=["--checkpoint", str(request.checkpoint)] if request.checkpoint else [],
    shell:
        "{PYTHON} -m {params.module}.released {params.given:q} --output {output:q}"


# A sweep's best setting is chosen once, from all of the sweep's records, and then stays.
rule choice:
    input:
        ancient(lambda wildcards: request.sweep_records(wildcards.paper, wildcards.hash)),
    output:
        update(f"{request.root}/{{paper}}/records/choices/{{hash}}.json"),
    params:
        folder=lambda wildcards: request.by_name[wildcards.paper].folder,
        records=lambda wildcards: request.records(wildcards.paper),
    shell:
        "{PYTHON} -m analysis.choice --paper {params.folder:q} --scale {SCALE}"
        " --sweep {wildcards.hash} --records {params.records:q} --scratch {request.scratch:q}"


# A record is identified by the hash in its path and needs no input, unless a sweep chooses its setting; no file time
# retrains it. `update`: Snakemake would delete a record that somebody else finished since it looked, and train it again.
rule train:
    input:
        ancient(lambda wildcards: request.choice(wildcards.paper, wildcards.hash)),
    output:
        update(f"{request.root}/{{paper}}/records/{{environment}}/{{method}}-{{hash}}/record.json"),
    params:
        folder=lambda wildcards: request.by_name[wildcards.paper].folder,
        records=lambda wildcards: request.records(wildcards.paper),
        scratch=lambda wildcards: f"{request.scratch}/{wildcards.hash}",
        batches=lambda wildcards: request.batches(wildcards.paper, wildcards.hash, ROOM),
    threads: request.threads(CORES)
    resources:
        mem_mb=lambda wildcards: request.memory_mb(wildcards.paper, wildcards.hash, ROOM),
        gpu_mb=lambda wildcards: request.gpu_mb(wildcards.paper, wildcards.hash, ROOM),
    shell:
        "mkdir -p {params.scratch:q} && "
        "{PYTHON} -m algorithms.train --paper {params.folder:q} --scale {SCALE}"
        " --shard {wildcards.hash} --records {params.records:q} --scratch {request.scratch:q}"
        " --device {request.device} --threads {threads} --batches {params.batches}"
        " > {params.scratch:q}/train.log 2>&1"


# A study's record is identified by its hash too, which covers the records that it reads. It takes all cores, so that
# what it times shares them with nothing else of this workflow.
rule study:
    input:
        ancient(lambda wildcards: request.study_inputs(wildcards.paper, wildcards.study, wildcards.hash)),
    output:
        update(f"{request.root}/{{paper}}/records/studies/{{study}}-{{hash}}/record.json"),
    params:
        module=lambda wildcards: f"{request.by_name[wildcards.paper].module}.{wildcards.study}",
        folder=lambda wildcards: request.by_name[wildcards.paper].folder,
        records=lambda wildcards: request.records(wildcards.paper),
    threads: CORES
    shell:
        "{PYTHON} -m {params.module} --paper {params.folder:q} --scale {SCALE}"
        " --records {params.records:q} --scratch {request.scratch:q}"


rule statistics:
    input:
        lambda wildcards: request.shard_records(wildcards.paper, wildcards.experiment),
        lambda wildcards: request.by_name[wildcards.paper].folder / "experiments.yaml",
        request.imported,
        STATISTICS_CODE,
    output:
        [f"{DRAWN}/experiments/{{experiment}}/{name}" for name in EXPERIMENT_FILES],
    params:
        folder=lambda wildcards: request.by_name[wildcards.paper].folder,
        records=lambda wildcards: request.records(wildcards.paper),
        output=f"{DRAWN}/experiments/{{experiment}}",
    shell:
        "{PYTHON} -m analysis.statistics --paper {params.folder:q} --scale {SCALE}"
        " --experiment {wildcards.experiment} --records {params.records:q}"
        " --scratch {request.scratch:q} --output {params.output:q} {IMPORTED:q}"


def drawing(wildcards):
    """What an artifact is drawn from: its experiments' statistics, its studies, and the files that say how."""
    paper, artifact = wildcards.paper, wildcards.artifact
    shown = request.artifact_statistics(paper, artifact) + request.artifact_studies(paper, artifact)
    return shown + request.by_name[paper].sources(artifact)


DRAW = (
    "{PYTHON} -m {params.module} --paper {params.folder:q} --scale {SCALE}"
    " --experiments {params.experiments:q} --records {params.records:q} --output {params.stem:q}"
)


rule table:
    input:
        drawing,
    output:
        multiext(f"{DRAWN}/tables/{{artifact}}", ".parquet", ".csv", ".tex", ".md"),
    params:
        module=lambda wildcards: f"{request.by_name[wildcards.paper].module}.{wildcards.artifact}",
        folder=lambda wildcards: request.by_name[wildcards.paper].folder,
        experiments=f"{DRAWN}/experiments",
        records=lambda wildcards: request.records(wildcards.paper),
        stem=f"{DRAWN}/tables/{{artifact}}",
    shell:
        DRAW


use rule table as figure with:
    output:
        multiext(f"{DRAWN}/figures/{{artifact}}", ".parquet", ".csv", ".pdf", ".png"),
    params:
        module=rules.table.params.module,
        folder=rules.table.params.folder,
        experiments=rules.table.params.experiments,
        records=rules.table.params.records,
        stem=f"{DRAWN}/figures/{{artifact}}",


# Targets. They name the records too, so that one that was deleted is trained again though what was drawn
# from it is still there.
for paper in request.papers:

    rule:
        name:
            paper.name
        input:
            request.all_records(paper.name),
            request.paper_files(paper.name),

    for artifact in paper.artifacts(SCALE):

        rule:
            name:
                f"{paper.name}_{artifact}"
            input:
                request.artifact_records(paper.name, artifact),
                request.artifact(paper.name, artifact),


view = View(FOLDERS, SCALE, request.results)


onstart:
    if LOCAL and request.device == "auto" and not request.gpus.devices:
        if any(job.rule.name == "train" for job in workflow.dag.needrun_jobs()):
            print(f"training on the CPU: {request.gpus.missing}", file=sys.stderr)
    view.start()


onsuccess:
    view.stop()
    if Path(request.report).exists():
        print(f"report: {request.report}", file=sys.stderr)


onerror:
    view.stop()
    view.report_failures()
