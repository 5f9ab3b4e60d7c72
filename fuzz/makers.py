"""Small valid files of every kind, written into a folder: what mutations start from. The samples are the tests'."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from transformers import YolosConfig, YolosForObjectDetection

from films import numbered_picture, write_film
from golden import COMPACT, Golden
from samples.batches import make_model
from samples.bert import write_bert
from samples.collecting import QUESTION, box
from samples.data_folder import random_run, write_random_data
from samples.detector import Shades
from samples.features import Letters
from samples.film_folder import SAID, question, write_clip_files, write_features, write_film_folder
from samples.predictions import many_questions, random_predictions
from samples.release_folder import Release
from stage.annotation.predictions import write_predictions
from stage.annotation.questions import question_to_json, write_questions
from stage.annotation.vocabulary import extend_vocabulary
from stage.data.examples import Limits
from stage.features.projection import Projection, Projections
from stage.features.protocols import RegionDetector, TextEncoder
from stage.inference.model_folder import FeatureRecipe, TrainedModel, export_model, load_model, save_model
from stage.inference.trained import TrainedAnswerer
from stage.training.loop import train

FILM_SECONDS = 3
VTT = (
    "WEBVTT\n\nNOTE a note\n\nSTYLE\n::cue { color: red }\n\nfirst\n00:01.000 --> 00:02.000 align:start\n"
    "<v Mia>Hi <i>there</i>!\n\n00:00:02.100 --> 00:00:02.900\nThe <c.red>mug</c>.\n"
)
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n\n"
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,Mia,0,0,0,,{\\i1}Hi{\\i0} there!\\NYou.\n"
    "Dialogue: 0,0:00:02.10,0:00:02.90,Default,,0,0,0,,{\\pos(1,2)\\p0}The mug.\n"
)
GLOVE = ("what", "is", "it", "?", "a", "mug", ".", "hat", "car", "the", "red", "over", "there", "hi")
NOUNS = "noun,count,visual\nmug,12,yes\nhat,3,yes\nplan,2,no\n"


def question_files(folder: Path) -> None:
    """Questions with labels, as a list, as lines and compressed; predictions of them, and their vocabulary."""
    questions = many_questions()[:4]
    write_questions(folder / "questions.json", questions)
    raw = [question_to_json(q) for q in questions]
    lines = [{k: v for k, v in q.items() if k != "bbox"} | {"ts": "1.5-4"} for q in raw]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    _write_gzipped(folder / "questions.json.gz", raw)
    words = extend_vocabulary(folder / "word2idx.json", questions)
    write_predictions(folder / "predictions.json", random_predictions(questions), words)
    _write_gzipped(folder / "predictions.json.gz", json.loads((folder / "predictions.json").read_text()))
    (folder / "nouns.csv").write_text(NOUNS)


def data_folder(folder: Path) -> None:
    """A data folder with features but without films, and a model for it."""
    write_random_data(folder)
    _save_random_model(folder / "model")


def exported_model(folder: Path) -> None:
    """The same with the model exported to ONNX."""
    data_folder(folder)
    export_model(load_model(folder / "model"), folder / "exported")
    shutil.rmtree(folder / "model")


def film_data(folder: Path) -> None:
    """A data folder with films, subtitles, clip files and features."""
    write_film_folder(folder)
    write_clip_files(folder)
    write_features(folder)


def submissions(folder: Path) -> None:
    """What two annotators saved about one question."""
    write_questions(folder / "questions.json", [replace(QUESTION, clip="film")])
    for name, left in (("mia.json", 10.0), ("leo.json", 14.0)):
        frames = {
            "7": {"boxes": [box("Mia", left), box("book", 60)], "not_visible": ["Leo", "guitar"]},
            "13": {"boxes": [], "not_visible": ["Mia", "Leo", "guitar", "book"]},
        }
        asked = {"qid": 5, "span": [1.4, 5.2], "frames": frames, "finished": True}
        saved = {"format": "stage collect 1", "clip": "film", "width": 160, "height": 48, "frame_count": 24}
        (folder / name).write_text(json.dumps(saved | {"questions": [asked]}))


def described(folder: Path) -> None:
    """The layout of timed descriptions and labelled detections, with small word vectors."""
    lines = {"sub_text": "The red mug . <eos> A hat .", "sub_time": [1.0, 5.0], "sub_end": [4.0, 8.0]}
    frame = [[10, 10, 60, 70], [100, 20, 200, 120]]
    found = {"boxes": [frame] * 24, "object": [["mug", "hat"]] * 24, "counts": [2] * 24, "frames": 24}
    clips = ("clip_1", "clip_2")
    _write(folder / "split.json", {"train": clips[:1], "dev": clips[1:]})
    _write(folder / "captions.json", dict.fromkeys(clips, lines))
    _write_gzipped(folder / "detections.json.gz", dict.fromkeys(clips, found))
    _write(folder / "questions.json", [question(i, clip) for i, clip in enumerate(clips)])
    glove(folder)
    (folder / "text_encoder.txt").write_text("glove.txt")


def glove(folder: Path) -> None:
    """Word vectors in GloVe's text format."""
    rng = np.random.default_rng(2)
    rows = [f"{word} {' '.join(f'{x:.4f}' for x in rng.normal(size=6))}" for word in GLOVE]
    (folder / "glove.txt").write_text("\n".join(rows) + "\n")


def glove_data(folder: Path) -> None:
    """Word vectors, and a data folder whose words they are for."""
    glove(folder)
    _unprocessed(folder / "data")


def bert_data(folder: Path) -> None:
    """A tiny BERT as transformers saves it, and a data folder."""
    write_bert(folder / "bert")
    _unprocessed(folder / "data")


def film(folder: Path, name: str, **settings: Any) -> None:
    """A folder of one film, three seconds long, and a question about it."""
    (folder / "episodes").mkdir(parents=True)
    times = [Fraction(i, 12) for i in range(12 * FILM_SECONDS)]
    exact = {"fflags": "+bitexact"}
    write_film(folder / "episodes" / name, times, rate=12, container_options=exact, **settings)
    clip = Path(name).stem
    _write(folder / "questions.json", [question(0, clip, ts=[0, 2], bbox={})])
    _write(folder / "frames.json", {clip: 3 * FILM_SECONDS})
    _write(folder / "subtitles.json", {clip: {"sub_text": "Hi there !", "sub_time": [1.0], "sub_end": [2.0]}})


def mp4(folder: Path) -> None:
    film(folder, "one.mp4", sound=True)


def ts(folder: Path) -> None:
    film(folder, "one.ts")


def mkv(folder: Path) -> None:
    film(folder, "one.mkv")


def avi(folder: Path) -> None:
    film(folder, "one.avi", codec="mpeg4")


def srt(folder: Path) -> None:
    mp4(folder)
    (folder / "episodes" / "one.srt").write_text(SAID.replace("00:00:04", "00:00:02").replace("05,5", "02,9"))


def vtt(folder: Path) -> None:
    mp4(folder)
    (folder / "episodes" / "one.vtt").write_text(VTT)


def ass(folder: Path) -> None:
    mp4(folder)
    (folder / "episodes" / "one.ass").write_text(ASS)


def frame_images(folder: Path) -> None:
    """Numbered frames of a clip, as JPEG and as PNG."""
    for name, suffix in (("jpegs", "jpg"), ("pngs", "png")):
        (folder / "frames" / name).mkdir(parents=True)
        for number in range(1, 8):
            picture = numbered_picture(number)
            cv2.imwrite(str(folder / "frames" / name / f"{number:05d}.{suffix}"), picture[..., ::-1])


def release(folder: Path) -> None:
    """A folder in the layout of the authors' release."""
    Release.regular(folder / "release").write()


def checkpoint(folder: Path) -> None:
    """A checkpoint of the release with its options and concepts."""
    weights = Golden.read(COMPACT).weights
    torch.save(weights, folder / "best.pth")
    _write(
        folder / "opt.json",
        {"t_iter": 0, "add_local": True, "dropout": 0.1, "max_sub_l": 50, "max_vid_l": 300},
    )
    _write(folder / "concepts.json", {"mug": 3, "hat": 4})


def detector(folder: Path) -> None:
    """A tiny object detector as transformers saves it, and a clip for it."""
    sizes: dict[str, Any] = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
        "image_size": [64, 96], "patch_size": 16, "num_detection_tokens": 30, "num_labels": 3,
    }  # fmt: skip
    config = YolosConfig(**sizes, id2label={0: "cat", 1: "dog", 2: "cup"})
    torch.manual_seed(0)
    YolosForObjectDetection(config).save_pretrained(folder / "detector")
    _write(folder / "detector" / "preprocessor_config.json", {"size": {"height": 64, "width": 96}})
    (folder / "frames" / "clip").mkdir(parents=True)
    for number in range(1, 8):
        cv2.imwrite(str(folder / "frames" / "clip" / f"{number:05d}.jpg"), numbered_picture(number))


def asked(folder: Path) -> None:
    """A film that a question was asked about, with the cache of its regions."""
    mp4(folder)
    ask(folder)


class QuickAnswerer(TrainedAnswerer):
    """A model with an encoder and a detector that take no time."""

    @cached_property
    def text(self) -> TextEncoder:
        return cast(TextEncoder, Letters())

    @cached_property
    def detector(self) -> RegionDetector:
        return Shades()


def ask(folder: Path) -> None:
    """Ask about that film."""
    model = make_model(units=1, fusion_units=1, text_dim=Letters.dim, region_dim=Shades.dim)
    recipe = FeatureRecipe(text=Letters.name, regions=Shades.name)
    trained = TrainedModel(model, recipe, Projections(), ("mug",), Limits())
    opened = QuickAnswerer(trained).open(folder / "episodes" / "one.mp4", cache=folder / "cache")
    opened.ask("What is it ?", ["A mug .", "A hat ."])


def run(folder: Path) -> None:
    """A finished run of one epoch."""
    write_random_data(folder / "data")
    train(random_run(folder / "data", folder / "run"))
    (folder / "run.yaml").write_text((folder / "run" / "run.yaml").read_text())


def configuration(folder: Path) -> None:
    """The configuration of a run, with most settings that there are."""
    write_random_data(folder / "data")
    (folder / "run.yaml").write_text(
        f"data:\n  train: {folder}/data\n  val: {folder}/data\n  workers: 0\n  limits: {{frames: 33}}\n"
        f"output: {folder}/run\nmodel:\n  hidden: 8\n  region_components: 4\n  whiten: true\n"
        "training:\n  epochs: 1\n  batch_size: 3\n  learning_rate: 0.001\n  seed: 2018\n"
    )


def _unprocessed(folder: Path) -> None:
    """A data folder without films or features."""
    folder.mkdir()
    _write(folder / "questions.json", [question(0, "one")])
    write_clip_files(folder)


def _save_random_model(folder: Path) -> None:
    """A model for the features of `write_random_data`."""
    model = make_model(units=1, fusion_units=1, span_choice="overlap")
    size = model.config.region_dim
    projection = Projection(np.zeros(size, np.float32), np.eye(size, dtype=np.float32), 1.0)
    trained = TrainedModel(
        model,
        FeatureRecipe(text="air", regions="air"),
        Projections(regions=projection),
        ("mug",),
        Limits(frames=33),
    )
    save_model(trained, folder, card="# A model\n")


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def _write_gzipped(path: Path, content: object) -> None:
    path.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))
