"""The paper's tables: rows (systems), columns (scores), and its own figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stage.errors import InputError
from stage.experiments.systems import TextKind


@dataclass(frozen=True, slots=True)
class Column:
    """A score that a table shows."""

    title: str
    path: tuple[str, ...]
    """Keys to it in the JSON of scores."""
    temporal: bool = False
    """A score of spans: meaningful only for a system that localises."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    title: str
    system: str | None
    """None for a row that only the paper has."""
    paper: Mapping[str, float] = field(default_factory=dict)
    """Heading -> the paper's figure in percent; without an entry where the paper has a dash."""
    text: TextKind | None = None
    """Count only runs on these word vectors."""
    true_span: bool = False
    """Show the runs' scores given the true span."""
    shows_chance: bool = False
    """Show the spans of a system that isn't trained on any, to show that they are chance."""


@dataclass(frozen=True, slots=True)
class Table:
    """The layout of a table."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    split: str = ""
    """The questions that the paper's figures are for; empty for a table that the paper doesn't have."""
    paper_headings: tuple[str, ...] = ()

    @property
    def systems(self) -> list[str]:
        return [row.system for row in self.rows if row.system]


QA = Column("QA Acc.", ("qa_accuracy",))
MAP = Column("Grd. mAP", ("grounding_map",))
MIOU = Column("Temp. mIoU", ("temporal_miou",), temporal=True)
ASA = Column("ASA", ("answer_span_accuracy",), temporal=True)
SCORES = (QA, MAP, MIOU, ASA)
SCORE_TITLES = tuple(column.title for column in SCORES)
TYPES = ("what", "who", "where", "why", "how")


def _scores(*figures: float | None) -> dict[str, float]:
    return {title: f for title, f in zip(SCORE_TITLES, figures, strict=False) if f is not None}


def _types(*figures: float) -> dict[str, float]:
    return dict(zip(TYPES, figures, strict=True))


LONGEST = Row("longest answer", "longest")
QUESTIONS_ONLY = Row("question and answers only", "questions_only")

TABLE_3 = Table(
    "3",
    "STAGE and its baselines",
    SCORES,
    (
        LONGEST,
        QUESTIONS_ONLY,
        Row("ST-VQA", "st_vqa", _scores(48.28)),
        Row("two-stream", "two_stream", _scores(68.13)),
        Row("STAGE (video)", "stage_video", _scores(52.75, 26.28, 10.90, 2.76)),
        Row("STAGE (subtitles)", "stage_subtitles", _scores(67.99, None, 30.16, 20.13)),
        Row("STAGE", "stage", _scores(74.83, 27.34, 32.49, 22.23)),
        Row("human", None, _scores(90.46)),
    ),
    "TVQA+ test",
    SCORE_TITLES,
)

TABLE_4 = Table(
    "4",
    "Parts of STAGE, each row adding to the one above",
    SCORES,
    (
        Row("baseline: RNN, late fusion", "late_fusion_rnn", _scores(65.79, 2.74)),
        Row("+ CNN encoders", "late_fusion_cnn", _scores(67.25, 3.16)),
        Row("+ aligned fusion (backbone)", "backbone", _scores(68.31, 7.31)),
        Row("+ temporal supervision", "backbone_temporal", _scores(71.40, 10.86, 30.77, 20.09)),
        Row("+ spatial supervision", "backbone_temporal_spatial", _scores(71.99, 24.10, 31.16, 20.42)),
        Row("+ local features (STAGE)", "stage", _scores(72.56, 25.22, 31.67, 20.78)),
        Row("with the true span", "stage", _scores(73.28), true_span=True),
    ),
    "TVQA+ val",
    SCORE_TITLES,
)

TABLE_5 = Table(
    "5",
    "QA Acc. by type of question, rows as in Table 4",
    tuple(Column(name, ("per_question_type", name, "qa_accuracy")) for name in TYPES),
    (
        Row("baseline: RNN, late fusion", "late_fusion_rnn", _types(65.66, 65.37, 65.41, 74.31, 60.81)),
        Row("+ CNN encoders", "late_fusion_cnn", _types(66.43, 64.08, 64.38, 78.82, 67.03)),
        Row("+ aligned fusion (backbone)", "backbone", _types(67.58, 64.72, 68.49, 77.43, 69.23)),
        Row("+ temporal supervision", "backbone_temporal", _types(70.76, 72.17, 71.58, 79.86, 66.30)),
        Row("+ spatial supervision", "backbone_temporal_spatial", _types(71.25, 73.14, 71.58, 78.12, 69.96)),
        Row("+ local features (STAGE)", "stage", _types(72.34, 74.11, 74.32, 76.39, 67.03)),
    ),
    "TVQA+ val",
    TYPES,
)

VAL, TEST_PUBLIC = "val", "test-public"

TABLE_6 = Table(
    "6",
    "The larger set, TVQA: without boxes and refined spans",
    (QA,),
    (
        Row("two-stream", "two_stream", {VAL: 65.85, TEST_PUBLIC: 66.46}),
        Row("PAMN", "pamn", {VAL: 66.38, TEST_PUBLIC: 66.77}),
        Row("multi-task", "multi_task", {VAL: 66.22, TEST_PUBLIC: 67.05}),
        Row("backbone, GloVe", "backbone_glove", {VAL: 66.46}, text="glove"),
        Row("backbone, GloVe, temporal sup.", "backbone_temporal_glove", {VAL: 66.92}, text="glove"),
        Row("backbone, BERT", "backbone", {VAL: 68.56, TEST_PUBLIC: 69.67}, text="bert"),
        Row(
            "backbone, BERT, temporal sup.",
            "backbone_temporal",
            {VAL: 70.50, TEST_PUBLIC: 70.23},
            text="bert",
        ),
    ),
    "TVQA",
    (VAL, TEST_PUBLIC),
)

ONE_STREAM = (Row("STAGE (subtitles)", "stage_subtitles"), Row("STAGE (video)", "stage_video"))
LESS_SUPERVISED = (
    Row("aligned fusion (backbone)", "backbone"),
    Row("STAGE without spatial supervision", "stage_without_spatial"),
    Row("STAGE without temporal supervision", "stage_without_temporal", shows_chance=True),
    Row("STAGE", "stage"),
)

SUPERVISION = Table(
    "supervision",
    "STAGE by what it reads and what it is taught",
    SCORES,
    (LONGEST, QUESTIONS_ONLY, *ONE_STREAM, *LESS_SUPERVISED),
)

SITCOM = Table(
    "sitcom",
    "What shows that the sitcom is sound",
    SCORES,
    (
        LONGEST,
        QUESTIONS_ONLY,
        *ONE_STREAM,
        Row("late fusion", "late_fusion_cnn"),
        Row("late fusion with spatial supervision", "late_fusion_spatial"),
        *LESS_SUPERVISED,
    ),
)

TABLES = {table.name: table for table in (TABLE_3, TABLE_4, TABLE_5, TABLE_6, SUPERVISION, SITCOM)}


def tables_named(names: Sequence[str]) -> list[Table]:
    """Tables by name. Raises InputError if there is no such table."""
    if unknown := [name for name in names if name not in TABLES]:
        raise InputError(f"{unknown[0]}: there is no such table; choose from {', '.join(TABLES)}")
    return [TABLES[name] for name in dict.fromkeys(names)]
