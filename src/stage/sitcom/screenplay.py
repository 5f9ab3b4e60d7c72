"""An episode, sampled before anything is drawn: who is where with what, what is said, what the camera shows.

An episode is a row of beats. In a beat the characters keep their places, things and moods while two of them talk
about one topic; before and after the talk it is silent for a moment. Between two beats of a scene characters walk,
take and put down things, come and go.
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
WALK_SECONDS = 0.6
LONGEST_EPISODE = 60.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of dialogue with its time in seconds."""

    start: float
    end: float
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A camera and the second from which it is used."""

    start: float
    camera: Camera


@dataclass(frozen=True, slots=True)
class Beat:
    """A stretch of an episode in which nothing changes but faces and cameras."""

    start: float
    end: float
    scene: int
    place: str
    light: int
    props: tuple[Prop, ...]
    actors: tuple[Actor, ...]
    exchange: Exchange
    lines: tuple[Line, ...]
    shots: tuple[Shot, ...]

    @property
    def talk(self) -> tuple[float, float]:
        """Seconds from the first to the last word about the topic."""
        return self.lines[0].start, self.lines[-1].end

    def actor(self, name: str) -> Actor | None:
        return next((a for a in self.actors if a.name == name), None)


@dataclass(frozen=True, slots=True)
class Screenplay:
    """A whole episode."""

    beats: tuple[Beat, ...]

    @property
    def duration(self) -> float:
        return self.beats[-1].end

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The subtitles: who speaks, then what is said."""
        return tuple(
            Sentence(line.start, line.end, f"{line.speaker.capitalize()} : {line.text}")
            for beat in self.beats
            for line in beat.lines
        )

    def setting_at(self, time: float) -> Setting:
        """The stage at a second of the episode."""
        index = next((i for i, beat in enumerate(self.beats) if time < beat.end), len(self.beats) - 1)
        beat = self.beats[index]
        before = self.beats[index - 1] if index and self.beats[index - 1].scene == beat.scene else None
        after = self.beats[index + 1] if index + 1 < len(self.beats) else None
        if after and after.scene != beat.scene:
            after = None
        speaker = next((line.speaker for line in beat.lines if line.start <= time < line.end), None)
        actors = [_moving(a, beat, before, after, time, speaker == a.name) for a in beat.actors]
        camera = [shot.camera for shot in beat.shots if shot.start <= time] or [beat.shots[0].camera]
        return Setting(beat.place, tuple(actors), beat.props, camera[-1], beat.light)


def episode_seed(split: str, seed: int, index: int) -> int:
    """A seed that no other (split, seed, index) has."""
    digest = hashlib.sha256(f"sitcom/{split}/{seed}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def write_screenplay(seed: int) -> Screenplay:
    """An episode of 40 to 60 seconds; the same for the same seed on any machine."""
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
        fresh = i == 0 or scenes[i] != scenes[i - 1]
        if fresh:
            light, props = rng.randrange(3), _furnish(rng, places[scenes[i]])
        actors = _enter(rng, cast, () if fresh else actors, held, worn)
        owner, partner = rng.sample([a.name for a in actors], 2)
        kind, value, state = facts[i]
        fact = Fact(kind, rng.choice((owner, partner)), value, state)
        exchange = make_exchange(rng, topics[i], owner, partner, fact)
        first = clock + rng.uniform(1.3, 1.9)
        lines = _time(rng, exchange, first)
        end = round(lines[-1].end + rng.uniform(1.3, 1.9), 2)
        if end > LONGEST_EPISODE:
            break
        shots = _shoot(rng, clock, lines, actors)
        beats.append(
            Beat(clock, end, scenes[i], places[scenes[i]], light, props, actors, exchange, lines, shots)
        )
        clock = end
    return Screenplay(tuple(beats))


def _scenes(rng: Random, count: int) -> list[int]:
    """Which scene each beat belongs to: two or three scenes of about equal length."""
    number = rng.choice((2, 3))
    return [i * number // count for i in range(count)]


def _furnish(rng: Random, place: str) -> tuple[Prop, ...]:
    kinds = list(FURNITURE[place])
    rng.shuffle(kinds)
    return tuple(
        Prop(kind, x + rng.uniform(-25, 25), rng.uniform(264, 276))
        for kind, x in zip(kinds, (110, 320, 530), strict=True)
    )


def _enter(
    rng: Random, cast: list[str], old: tuple[Actor, ...], held: list[str], worn: list[str]
) -> tuple[Actor, ...]:
    """Who is there next, and how. Of those who were there most stay, and most change what they hold."""
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


def _time(rng: Random, exchange: Exchange, first: float) -> tuple[Line, ...]:
    lines, clock = [], first
    for spoken in exchange.lines:
        length = min(2.7, 1.3 + 0.09 * len(spoken.text.split()) + rng.uniform(0, 0.35))
        lines.append(Line(round(clock, 2), round(clock + length, 2), spoken.speaker, spoken.text))
        clock += length + rng.uniform(0.05, 0.2)
    return tuple(lines)


def _shoot(rng: Random, start: float, lines: tuple[Line, ...], actors: tuple[Actor, ...]) -> tuple[Shot, ...]:
    shots = [Shot(start, _frame(rng, actors))]
    if rng.random() < 0.5:
        cut = rng.choice(lines[1:]).start
        shots.append(Shot(cut, _frame(rng, actors)))
    return tuple(shots)


def _frame(rng: Random, actors: tuple[Actor, ...]) -> Camera:
    """All of the stage, most of it, or two neighbours from nearer."""
    kind = rng.choices(("wide", "medium", "close"), (4, 3, 3))[0]
    if kind == "wide":
        return Camera()
    across = sorted(actors, key=lambda a: a.x)
    if kind == "close":
        first = rng.randrange(max(1, len(across) - 1))
        across = across[first : first + 2]
    left, right = across[0].x - 75, across[-1].x + 75
    zoom = min(1.9 if kind == "close" else 1.5, WIDTH / (right - left))
    return Camera(
        round((left + right) / 2, 1),
        HEIGHT - HEIGHT / 2 / zoom - rng.uniform(0, 14),
        round(max(1.0, zoom), 2),
    )


def _moving(
    actor: Actor, beat: Beat, before: Beat | None, after: Beat | None, time: float, talking: bool
) -> Actor:
    """The actor at a second of its beat: coming from where it was, going to where it will be, or in its place."""
    since, left = time - beat.start, beat.end - time
    x = actor.x
    if before and since < WALK_SECONDS:
        origin = before.actor(actor.name)
        middle = (origin.x + actor.x) / 2 if origin else _offstage(actor.x)
        x = middle + (actor.x - middle) * since / WALK_SECONDS
    elif after and left < WALK_SECONDS:
        goal = after.actor(actor.name)
        middle = (goal.x + actor.x) / 2 if goal else _offstage(actor.x)
        x = middle + (actor.x - middle) * left / WALK_SECONDS
    phase = round(time * 1.7 % 1, 3)
    if abs(x - actor.x) > 4:
        facing = actor.facing
        return replace(actor, x=x, posture="walk", facing=facing, phase=phase)
    return replace(actor, talking=talking, phase=phase if talking or actor.posture == "wave" else 0.0)


def _offstage(x: float) -> float:
    return -70.0 if x < WIDTH / 2 else WIDTH + 70.0
