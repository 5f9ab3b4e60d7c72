"""The kinds of files that are read: how valid ones are made, what is changed in them, and what reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fuzz import makers
from fuzz.containers import (
    mutate_checkpoint,
    mutate_hdf5,
    mutate_png,
    mutate_safetensors,
    mutate_yaml,
)
from fuzz.kind import Command, Kind
from fuzz.mutations import (
    gzipped,
    mutate_bytes,
    mutate_json,
    mutate_json_lines,
    mutate_text,
)
from fuzz.session import Tally, fuzz


@dataclass(frozen=True)
class Configuration:
    """Reading a configuration, without training: a valid one may ask for years of that."""

    def __call__(self, folder: Path) -> None:
        from stage.training.config import load_config

        load_config(folder / "run.yaml")


@dataclass(frozen=True)
class Asking:
    """Asking about a film, whose regions come from the cache."""

    def __call__(self, folder: Path) -> None:
        makers.ask(folder)


def _commands(*lines: str) -> tuple[Command, ...]:
    return tuple(map(Command, lines))


EVALUATIONS = _commands(
    "evaluate @/predictions.json @/questions.json --json @/scores.json",
    "errors @/predictions.json @/questions.json --out @/errors",
    "evaluate @/predictions.json @/questions.json --all",
)
FOLDER = _commands(
    "data check @",
    "predict @ @/out.json --model @/model",
    "predict @ @/out.json --model longest",
    "compare @ longest @/model --json @/scores.json",
)
FILM = _commands("data make @ --overwrite", "features regions @/episodes @/out", "data check @")
SPOKEN = _commands("data make @ --overwrite")
RELEASE = _commands(
    "data check @/release", "data pack @/release @/out", "predict @/release/valid @/out.json --model longest",
    "compare @/release/train longest",
)  # fmt: skip
JSON_GZ = gzipped(mutate_json)
KINDS = (
    Kind(
        "questions", makers.question_files, {"questions.json": mutate_json},
        (*_commands("data stats @/questions.json", "data check @/questions.json", 
                    "collect nouns @/questions.json @/nouns.csv"),
         *EVALUATIONS),
    ),
    Kind("questions-lines", makers.question_files, {"questions.jsonl": mutate_json_lines},
         _commands("data stats @/questions.jsonl", "data check @/questions.jsonl")),
    Kind("questions-gz", makers.question_files, {"questions.json.gz": JSON_GZ},
         _commands("data stats @/questions.json.gz", "evaluate @/predictions.json @/questions.json.gz")),
    Kind("predictions", makers.question_files, {"predictions.json": mutate_json}, EVALUATIONS),
    Kind("predictions-gz", makers.question_files, {"predictions.json.gz": JSON_GZ},
         _commands("evaluate @/predictions.json.gz @/questions.json",
                   "errors @/predictions.json.gz @/questions.json")),
    Kind("vocabulary", makers.question_files, {"word2idx.json": mutate_json}, EVALUATIONS),
    Kind("nouns", makers.question_files, {"nouns.csv": mutate_text},
         _commands("collect nouns @/questions.json @/nouns.csv")),
    Kind("submissions", makers.submissions, {"*.json": mutate_json},
         _commands("collect merge @/questions.json @/mia.json @/leo.json @/out.json",
                   "collect merge @/questions.json @/leo.json @/out.json --rest")),
    Kind("subtitles-json", makers.data_folder, {"subtitles.json": mutate_json}, FOLDER),
    Kind("frames-json", makers.data_folder, {"frames.json": mutate_json}, FOLDER),
    Kind("folder-questions", makers.data_folder, {"questions.json": mutate_json}, FOLDER),
    Kind("film-folder", makers.film_data, {"*.json": mutate_json},
         _commands("data check @", "predict @ @/out.json --model longest")),
    Kind("attributes", makers.data_folder, {"features/*.json": mutate_json}, FOLDER),
    Kind("store-clips", makers.data_folder, {"features/clips/*": mutate_safetensors}, FOLDER),
    Kind("store-texts", makers.data_folder, {"features/texts/*": mutate_safetensors}, FOLDER),
    Kind("model", makers.data_folder,
         {"model/config.json": mutate_json, "model/weights.safetensors": mutate_safetensors},
         _commands("predict @ @/out.json --model @/model")),
    Kind("model-onnx", makers.exported_model,
         {"exported/config.json": mutate_json, "exported/weights.safetensors": mutate_safetensors,
          "exported/*.onnx": mutate_bytes},
         _commands("predict @ @/out.json --model @/exported")),
    Kind("described", makers.described,
         {"split.json": mutate_json, "captions.json": mutate_json, "detections.json.gz": JSON_GZ,
          "questions.json": mutate_json, "text_encoder.txt": mutate_text},
         _commands("predict @/train+dev @/out.json --model longest", "compare @/dev longest")),
    Kind("srt", makers.srt, {"episodes/*.srt": mutate_text}, SPOKEN),
    Kind("vtt", makers.vtt, {"episodes/*.vtt": mutate_text}, SPOKEN),
    Kind("ass", makers.ass, {"episodes/*.ass": mutate_text}, SPOKEN),
    Kind("mp4", makers.mp4, {"episodes/*": mutate_bytes}, FILM),
    Kind("ts", makers.ts, {"episodes/*": mutate_bytes}, FILM),
    Kind("mkv", makers.mkv, {"episodes/*": mutate_bytes}, FILM),
    Kind("avi", makers.avi, {"episodes/*": mutate_bytes}, FILM),
    Kind("images", makers.frame_images, {"frames/jpegs/*": mutate_bytes, "frames/pngs/*": mutate_png},
         _commands("features regions @/frames @/out")),
    Kind("release-hdf5", makers.release, {"release/*.h5": mutate_hdf5}, RELEASE),
    Kind("release-json", makers.release, {"release/*.json": mutate_json}, RELEASE),
    Kind("checkpoint", makers.checkpoint,
         {"best.pth": mutate_checkpoint, "opt.json": mutate_json, "concepts.json": mutate_json},
         _commands("import @/best.pth @/out --opt @/opt.json --concepts @/concepts.json", "import @/best.pth @/out")),
    Kind("config", makers.configuration, {"run.yaml": mutate_yaml}, (Configuration(),)),
    Kind("bert", makers.bert_data, {"bert/*.json": mutate_json, "bert/*.safetensors": mutate_safetensors},
         _commands("features text @/data --text @/bert")),
    Kind("detector", makers.detector, {"detector/*.json": mutate_json, "detector/*.safetensors": mutate_safetensors},
         _commands("features regions @/frames @/out --detector @/detector")),
    Kind("glove", makers.glove_data, {"glove.txt": mutate_text},
         _commands("features text @/data --text @/glove.txt")),
    Kind("cache", makers.asked, {"cache/*/*.json": mutate_json, "cache/*/clips/*": mutate_safetensors}, (Asking(),)),
    Kind("run", makers.run, {"run/settings.json": mutate_json, "run/checkpoints/last.ckpt": mutate_checkpoint},
         _commands("train @/run.yaml --set output=@/run")),
)  # fmt: skip


def fuzz_kind(name: str, seed: int, numbers: Iterable[int], keep: Path) -> Tally:
    """Try inputs of the kind with this name, and print those that fail, and when it is done."""
    kind = next(kind for kind in KINDS if kind.name == name)
    try:
        tally = fuzz(kind, seed, numbers, keep, lambda line: print(line, flush=True))
    except RuntimeError as error:
        print(error, flush=True)
        return Tally(name, failures=[f"not tried: {error}"])
    print(f"{name}: {tally.results.total()} inputs, {len(tally.failures)} failed", flush=True)
    return tally
