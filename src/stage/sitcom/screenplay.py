"""Screenplays: characters, objects, dialogue and camera of a sampled episode.

An episode is a sequence of beats. In a beat the characters keep their positions, objects and moods while two of them
talk about one topic, with a moment of silence before and after. Between two beats of a scene characters walk, pick up
and put down objects, enter and leave.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from random import Random
from typing import get_args

from stage.sitcom.dialogue import TOPICS, Exchange, Fact, make_exchange, make_facts
from stage.sitcom.world import (
    CAST,
    FURNITURE,
    HEIGHT,
    HELD,
    PLACES,
    WIDTH,
    WORN,
    Actor,
    Camera,
    Mood,
    Prop,
    Setting,
)
from stage.types import Sentence

MOODS: tuple[Mood, ...] = get_args(Mood)
SLOTS = (85.0, 240.0, 395.0, 550.0)
"""Positions of characters, in stage pixels from the left."""
WALK_SECONDS = 0.6
"""Duration of half a walk: before, and after, the change of beats."""
MAX_SECONDS = 60.0
"""Duration of an episode at most."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of dialogue with its time in seconds."""

    start: float
    end: float
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A camera and the time (seconds) from which it is used."""

    start: float
    camera: Camera


@dataclass(frozen=True, slots=True)
class Beat:
    """A part of an episode in which only faces and cameras change; times in seconds."""

    start: float
    end: float
    scene: int
    """Index of the scene that the beat belongs to."""
    place: str
    light: int
    props: tuple[Prop, ...]
    actors: tuple[Actor, ...]
    exchange: Exchange
    lines: tuple[Line, ...]
    shots: tuple[Shot, ...]

    @property
    def talk(self) -> tuple[float, float]:
        """Start and end in seconds of the talk about the topic."""
        return self.lines[0].start, self.lines[-1].end

    def actor(self, name: str) -> Actor | None:
        """The character with this name; None if it isn't on stage."""
        return next((a for a in self.actors if a.name == name), None)


@dataclass(frozen=True, slots=True)
class Screenplay:
    """A whole episode."""

    beats: tuple[Beat, ...]

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.beats[-1].end

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The subtitles: "Speaker : text"."""
        return tuple(
            Sentence(line.start, line.end, f"{line.speaker.capitalize()} : {line.text}")
            for beat in self.beats
            for line in beat.lines
        )

    def setting_at(self, time: float) -> Setting:
        """The stage at a time in seconds."""
        index = next((i for i, beat in enumerate(self.beats) if time < beat.end), len(self.beats) - 1)
        beat = self.beats[index]
        before = self.beats[index - 1] if index and self.beats[index - 1].scene == beat.scene else None
        after = self.beats[index + 1] if index + 1 < len(self.beats) else None
        if after and after.scene != beat.scene:
            after = None
        speaker = next((line.speaker for line in beat.lines if line.start <= time < line.end), None)
        actors = [_actor_at(a, beat, before, after, time, speaker == a.name) for a in beat.actors]
        camera = [shot.camera for shot in beat.shots if shot.start <= time] or [beat.shots[0].camera]
        return Setting(beat.place, tuple(actors), beat.props, camera[-1], beat.light)


def episode_seed(split: str, seed: int, index: int) -> int:
    """A seed that is unique to (split, seed, index)."""
    digest = hashlib.sha256(f"sitcom/{split}/{seed}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def write_screenplay(seed: int) -> Screenplay:
    """Sample an episode of 40 to 60 seconds; the same seed gives the same episode on any machine."""
    rng = Random(seed)
    count = rng.choice((5, 6, 6, 7))
    topics = rng.sample(sorted(TOPICS), count)
    facts = make_facts(rng, count)
    held, worn = rng.sample(HELD, 6), rng.sample(WORN, 3)
    scenes = _scenes(rng, count)
    places = rng.sample(PLACES, scenes[-1] + 1)
    cast = rng.sample(CAST, rng.choice((4, 5, 6)))
    beats: list[Beat] = []
    actors: tuple[Actor, ...] = ()
    props: tuple[Prop, ...] = ()
    light = 0
    clock = 0.0
    for i in range(count):
        new_scene = i == 0 or scenes[i] != scenes[i - 1]
        if new_scene:
            light, props = rng.randrange(3), _props(rng, places[scenes[i]])
        actors = _next_actors(rng, cast, () if new_scene else actors, held, worn)
        owner, partner = rng.sample([a.name for a in actors], 2)
        kind, value, state = facts[i]
        fact = Fact(kind, rng.choice((owner, partner)), value, state)
        exchange = make_exchange(rng, topics[i], owner, partner, fact)
        first = clock + rng.uniform(1.3, 1.9)
        lines = _timed(rng, exchange, first)
        end = round(lines[-1].end + rng.uniform(1.3, 1.9), 2)
        if end > MAX_SECONDS:
            break
        shots = _shots(rng, clock, lines, actors)
        beats.append(
            Beat(clock, end, scenes[i], places[scenes[i]], light, props, actors, exchange, lines, shots)
        )
        clock = end
    return Screenplay(tuple(beats))


def _scenes(rng: Random, count: int) -> list[int]:
    """The scene of each beat: two or three scenes of about equal length."""
    number = rng.choice((2, 3))
    return [i * number // count for i in range(count)]


def _props(rng: Random, place: str) -> tuple[Prop, ...]:
    """The furniture of a place, at random positions."""
    kinds = list(FURNITURE[place])
    rng.shuffle(kinds)
    return tuple(
        Prop(kind, x + rng.uniform(-25, 25), rng.uniform(264, 276))
        for kind, x in zip(kinds, (110, 320, 530), strict=True)
    )


def _next_actors(
    rng: Random, cast: list[str], old: tuple[Actor, ...], held: list[str], worn: list[str]
) -> tuple[Actor, ...]:
    """The characters of the next beat. Most of the `old` ones stay, and most change the object that they hold."""
    stay = [a.name for a in old if rng.random() < 0.75]
    wanted = rng.choice((2, 3, 3, 4))
    others = [name for name in cast if name not in stay and name not in {a.name for a in old}]
    rng.shuffle(others)
    names = (stay + others)[: max(wanted, 2)]
    if len(names) < 2:
        names += [a.name for a in old if a.name not in names][: 2 - len(names)]
    slots = rng.sample(SLOTS, len(names))
    things, clothes = rng.sample(held, len(held)), rng.sample(worn, len(worn))
    actors = []
    for name, x in zip(names, slots, strict=True):
        x += rng.uniform(-28, 28)
        actors.append(
            Actor(
                name,
                round(x, 1),
                round(rng.uniform(332, 348), 1),
                rng.choices(("stand", "sit", "wave"), (6, 2, 1))[0],
                1 if x < WIDTH / 2 else -1,
                things.pop() if rng.random() < 0.8 else None,
                clothes.pop() if clothes and rng.random() < 0.45 else None,
                rng.choice(MOODS),
            )
        )
    return tuple(actors)


def _timed(rng: Random, exchange: Exchange, first: float) -> tuple[Line, ...]:
    """The lines of an exchange with their times, beginning at `first` (seconds)."""
    lines, clock = [], first
    for spoken in exchange.lines:
        length = min(2.7, 1.3 + 0.09 * len(spoken.text.split()) + rng.uniform(0, 0.35))
        lines.append(Line(round(clock, 2), round(clock + length, 2), spoken.speaker, spoken.text))
        clock += length + rng.uniform(0.05, 0.2)
    return tuple(lines)


def _shots(rng: Random, start: float, lines: tuple[Line, ...], actors: tuple[Actor, ...]) -> tuple[Shot, ...]:
    """One or two shots of a beat, with the cut at the start of a line."""
    shots = [Shot(start, _framing(rng, actors))]
    if rng.random() < 0.5:
        cut = rng.choice(lines[1:]).start
        shots.append(Shot(cut, _framing(rng, actors)))
    return tuple(shots)


def _framing(rng: Random, actors: tuple[Actor, ...]) -> Camera:
    """A random shot: wide (the whole stage), medium (all characters) or close (two neighbours)."""
    kind = rng.choices(("wide", "medium", "close"), (4, 3, 3))[0]
    if kind == "wide":
        return Camera()
    by_position = sorted(actors, key=lambda a: a.x)
    if kind == "close":
        first = rng.randrange(max(1, len(by_position) - 1))
        by_position = by_position[first : first + 2]
    left, right = by_position[0].x - 75, by_position[-1].x + 75
    zoom = min(1.9 if kind == "close" else 1.5, WIDTH / (right - left))
    return Camera(
        round((left + right) / 2, 1),
        HEIGHT - HEIGHT / 2 / zoom - rng.uniform(0, 14),
        round(max(1.0, zoom), 2),
    )


def _actor_at(
    actor: Actor, beat: Beat, before: Beat | None, after: Beat | None, time: float, talking: bool
) -> Actor:
    """The actor at a time of its beat: arriving from its position before, leaving to the next one, or in place."""
    elapsed, remaining = time - beat.start, beat.end - time
    x = actor.x
    if before and elapsed < WALK_SECONDS:
        origin = before.actor(actor.name)
        middle = (origin.x + actor.x) / 2 if origin else _offstage(actor.x)
        x = middle + (actor.x - middle) * elapsed / WALK_SECONDS
    elif after and remaining < WALK_SECONDS:
        goal = after.actor(actor.name)
        middle = (goal.x + actor.x) / 2 if goal else _offstage(actor.x)
        x = middle + (actor.x - middle) * remaining / WALK_SECONDS
    phase = round(time * 1.7 % 1, 3)
    if abs(x - actor.x) > 4:
        facing = actor.facing
        return replace(actor, x=x, posture="walk", facing=facing, phase=phase)
    return replace(actor, talking=talking, phase=phase if talking or actor.posture == "wave" else 0.0)


def _offstage(x: float) -> float:
    """The nearer exit, from the left in stage pixels."""
    return -70.0 if x < WIDTH / 2 else WIDTH + 70.0
