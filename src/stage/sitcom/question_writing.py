"""Questions about an episode, with distractors that are true at other times.

Wrong answers are preferably true at another moment of the episode, or of another character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from stage.sitcom.dialogue import FEELINGS, PURCHASES, REASONS, TOPICS
from stage.sitcom.screenplay import MOODS, Beat, Screenplay
from stage.sitcom.world import CAST, HELD, PLACES, WORN, Actor

Needs = Literal["both", "dialogue", "pictures"]
"""The modalities that a question needs."""
Link = Literal["when", "before", "after"]
"""The word that links a question to its moment."""

NEEDS: tuple[Needs, ...] = get_args(Needs)
LINKS: tuple[Link, ...] = get_args(Link)
CANDIDATES = 5
"""Candidate answers of a question."""
QUESTIONS_PER_EPISODE = 12


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before its answers are shuffled and its frames are checked for visibility."""

    text: str
    right: str
    wrong: tuple[str, ...]
    span: tuple[float, float]
    needs: Needs
    link: Link
    required: tuple[str, ...]
    """Names and kinds (as in `world`) that must be visible."""

    @property
    def question_type(self) -> str:
        """The first word, in lower case."""
        return self.text.split()[0].lower()


@dataclass(frozen=True, slots=True)
class TimeReference:
    """A moment of an episode and the words that refer to it."""

    words: str
    link: Link
    beat: Beat
    span: tuple[float, float]
    needs: Needs
    required: tuple[str, ...] = ()
    """Names and kinds that must be visible to find the moment."""
    about: frozenset[str] = frozenset()
    """Names and kinds that the words mention, so that they can't be the answer."""


def drafts(rng: Random, play: Screenplay) -> list[Draft]:
    """All questions about an episode with exactly one right answer, in random order."""
    questions: list[Draft] = []
    for when in [*dialogue_moments(play), *visual_moments(play)]:
        for actor in when.beat.actors:
            for write in (_holding, _who_holds, _wearing, _who_wears, _looks, _place):
                questions += write(rng, play, when, actor)
    questions += dialogue_questions(rng, play)
    rng.shuffle(questions)
    return questions


def dialogue_moments(play: Screenplay) -> Iterator[TimeReference]:
    """Moments that a line of dialogue identifies: "... when Leo talks about the exam"."""
    for i, beat in enumerate(play.beats):
        talk = f"{display_name(beat.exchange.owner)} talks about the {beat.exchange.topic} ?"
        yield TimeReference(f"when {talk}", "when", beat, beat.talk, "both")
        if i + 1 < len(play.beats):
            nxt = play.beats[i + 1]
            yield TimeReference(f"after {talk}", "after", nxt, (nxt.start, nxt.lines[0].end), "both")
        if i:
            previous = play.beats[i - 1]
            yield TimeReference(
                f"before {talk}", "before", previous, (previous.lines[-1].start, previous.end), "both"
            )


def visual_moments(play: Screenplay) -> Iterator[TimeReference]:
    """Moments that the frames identify: "... when Leo is holding the guitar", if he does in one beat only."""
    for beat in play.beats:
        for actor in beat.actors:
            states = {
                f"is holding the {actor.holding}": actor.holding,
                f"is wearing {worn_phrase(actor.wearing)}" if actor.wearing else "": actor.wearing,
            }
            for words, thing in states.items():
                same = [b for b in play.beats if thing and _has(b.actor(actor.name), thing)]
                if same == [beat] and thing:
                    span = (beat.start + 0.3, beat.end - 0.3)
                    required = (actor.name, thing)
                    yield TimeReference(
                        f"when {display_name(actor.name)} {words} ?",
                        "when",
                        beat,
                        span,
                        "pictures",
                        required,
                        frozenset(required),
                    )


def _holding(rng: Random, play: Screenplay, when: TimeReference, actor: Actor) -> Iterator[Draft]:
    if not actor.holding or actor.holding in when.about:
        return
    own = [a.holding for a in _states(play, actor.name) if a.holding]
    others = [a.holding for a in when.beat.actors if a.holding]
    elsewhere = [a.holding for b in play.beats for a in b.actors if a.holding]
    wrong = _choose(rng, actor.holding, [own, others, elsewhere, HELD], without=when.about)
    text = f"What is {display_name(actor.name)} holding {when.words}"
    answers = _phrase(
        rng, f"{display_name(actor.name)} is holding", [f"the {t}" for t in (actor.holding, *wrong)]
    )
    required = (actor.name, actor.holding, *when.required)
    yield Draft(text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, required)


def _wearing(rng: Random, play: Screenplay, when: TimeReference, actor: Actor) -> Iterator[Draft]:
    if not actor.wearing or actor.wearing in when.about:
        return
    right, wrong = actor.wearing, [w for w in WORN if w != actor.wearing]
    text = f"What is {display_name(actor.name)} wearing {when.words}"
    answers = _phrase(
        rng, f"{display_name(actor.name)} is wearing", [worn_phrase(w) for w in (right, *wrong)]
    )
    yield Draft(
        text,
        answers[0],
        tuple(answers[1:]),
        when.span,
        when.needs,
        when.link,
        (actor.name, right, *when.required),
    )


def _looks(rng: Random, play: Screenplay, when: TimeReference, actor: Actor) -> Iterator[Draft]:
    text = f"How does {display_name(actor.name)} look {when.words}"
    moods = [actor.mood, *(m for m in MOODS if m != actor.mood)]
    answers = _phrase(rng, f"{display_name(actor.name)} looks", moods)
    yield Draft(
        text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, (actor.name, *when.required)
    )


def _place(rng: Random, play: Screenplay, when: TimeReference, actor: Actor) -> Iterator[Draft]:
    visited = [b.place for b in play.beats]
    wrong = _choose(rng, when.beat.place, [visited, PLACES])
    text = f"Where is {display_name(actor.name)} {when.words}"
    answers = _phrase(
        rng, f"{display_name(actor.name)} is", [place_phrase(p) for p in (when.beat.place, *wrong)]
    )
    yield Draft(
        text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, (actor.name, *when.required)
    )


def _who_holds(rng: Random, play: Screenplay, when: TimeReference, actor: Actor) -> Iterator[Draft]:
    if actor.holding and actor.holding not in when.about and actor.name not in when.about:
        text = f"Who is holding the {actor.holding} {when.words}"
        yield _who(rng, play, text, actor, actor.holding, when, f"is holding the {actor.holding}")


def _who_wears(rng: Random, play: Screenplay, when: TimeReference, actor: Actor) -> Iterator[Draft]:
    if actor.wearing and actor.wearing not in when.about and actor.name not in when.about:
        text = f"Who is wearing {worn_phrase(actor.wearing)} {when.words}"
        yield _who(rng, play, text, actor, actor.wearing, when, f"is wearing {worn_phrase(actor.wearing)}")


def _who(
    rng: Random, play: Screenplay, text: str, actor: Actor, thing: str, when: TimeReference, does: str
) -> Draft:
    others = [b.actor(n) for b in play.beats for n in CAST]
    same_thing = [a.name for a in others if a and _has(a, thing)]
    present = [a.name for a in when.beat.actors]
    wrong = _choose(rng, actor.name, [same_thing, present, CAST], without=when.about & set(CAST))
    full = rng.random() < 0.5
    answers = [
        f"{display_name(n)} {does} ." if full else f"{display_name(n)} ." for n in (actor.name, *wrong)
    ]
    required = (actor.name, thing, *when.required)
    return Draft(text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, required)


def dialogue_questions(rng: Random, play: Screenplay) -> Iterator[Draft]:
    """Questions that can be answered from the dialogue alone."""
    fact_values = {
        kind: [b.exchange.fact.value for b in play.beats if b.exchange.fact.kind == kind]
        for kind in FACT_QUESTIONS
    }
    topics = [b.exchange.topic for b in play.beats]
    for i, beat in enumerate(play.beats):
        fact, exchange = beat.exchange.fact, beat.exchange
        talk = f"{display_name(exchange.owner)} talks about the {exchange.topic} ?"
        question, answer, pool = FACT_QUESTIONS[fact.kind]
        speaker = display_name(fact.speaker)
        wrong = _choose(rng, fact.value, [fact_values[fact.kind], pool])
        text = question.format(name=speaker, state=fact.state, topic=exchange.topic)
        answers = [answer.format(value=value, name=speaker) for value in (fact.value, *wrong)]
        yield Draft(
            f"{text} when {talk}",
            answers[0],
            tuple(answers[1:]),
            beat.talk,
            "dialogue",
            "when",
            (fact.speaker,),
        )
        listeners = [a.name for a in beat.actors]
        wrong = _choose(rng, exchange.partner, [listeners, CAST], without=frozenset({exchange.owner}))
        answers = [
            f"{display_name(exchange.owner)} is talking to {display_name(n)} ."
            for n in (exchange.partner, *wrong)
        ]
        yield Draft(
            f"Who is {display_name(exchange.owner)} talking to when {talk}",
            answers[0],
            tuple(answers[1:]),
            beat.talk,
            "dialogue",
            "when",
            (exchange.partner,),
        )
        neighbours: list[tuple[Link, int]] = [("after", i + 1), ("before", i - 1)]
        for link, j in neighbours:
            if 0 <= j < len(play.beats):
                other = play.beats[j].exchange
                wrong = _choose(
                    rng, other.topic, [topics, tuple(TOPICS)], without=frozenset({exchange.topic})
                )
                answers = [
                    f"{display_name(other.owner)} talks about the {t} ." for t in (other.topic, *wrong)
                ]
                text = f"What does {display_name(other.owner)} talk about {link} {talk}"
                yield Draft(
                    text, answers[0], tuple(answers[1:]), play.beats[j].talk, "dialogue", link, (other.owner,)
                )


FACT_QUESTIONS: dict[str, tuple[str, str, Sequence[str]]] = {
    "reason": ("Why is {name} so {state}", "Because {value} .", REASONS),
    "feeling": ("How does {name} feel about the {topic}", "{name} feels {value} .", FEELINGS),
    "purchase": ("What does {name} want to buy", "{name} wants to buy {value} .", PURCHASES),
}
"""Kind of fact -> templates of question and answer, and all possible values."""


def select(
    rng: Random, candidates: Iterable[Draft], visible: Callable[[Draft], bool], count: int
) -> list[Draft]:
    """Select at most `count` questions, with the proportions of types (as in TVQA), needs and links below.

    visible: whether the frames of a draft's span show what is needed to answer it.
    """
    pools: dict[tuple[str, Needs, Link], list[Draft]] = {}
    for draft in candidates:
        pools.setdefault((draft.question_type, draft.needs, draft.link), []).append(draft)
    chosen: list[Draft] = []
    for _ in range(count * 8):
        if len(chosen) == count:
            break
        weights = [weight for weight, _ in QUESTION_TYPES.values()]
        question_type: str = rng.choices(tuple(QUESTION_TYPES), weights)[0]
        needs = rng.choices(NEEDS, QUESTION_TYPES[question_type][1])[0]
        link = rng.choices(LINKS, (72, 14, 14))[0]
        pool = pools.get((question_type, needs, link), []) or pools.get((question_type, needs, "when"), [])
        while pool:
            draft = pool.pop()
            if visible(draft) and not any(draft.text == other.text for other in chosen):
                chosen.append(draft)
                break
    return chosen


QUESTION_TYPES: dict[str, tuple[int, tuple[int, int, int]]] = {
    "what": (58, (58, 14, 28)),
    "who": (13, (60, 15, 25)),
    "where": (11, (75, 0, 25)),
    "why": (9, (0, 1, 0)),
    "how": (9, (60, 25, 15)),
}
"""Question type -> its weight, and the weights within it of both, dialogue, pictures."""


def display_name(person: str) -> str:
    """A character's name as texts spell it."""
    return person.capitalize()


def worn_phrase(thing: str) -> str:
    return thing if thing == "glasses" else f"a {thing}"


def place_phrase(place: str) -> str:
    return f"on the {place}" if place == "street" else f"in the {place}"


def _phrase(rng: Random, subject: str, values: Sequence[str]) -> list[str]:
    """Answers as full sentences or as short ones, in the same style for all candidates of a question."""
    if rng.random() < 0.6:
        return [f"{subject} {value} ." for value in values]
    return [f"{value[0].upper()}{value[1:]} ." for value in values]


def _choose(
    rng: Random, right: str, pools: Sequence[Sequence[str]], without: frozenset[str] = frozenset()
) -> list[str]:
    """Four wrong answers, from the first pools that have some. All pools but the last two give at most two each."""
    chosen: list[str] = []
    for i, pool in enumerate(pools):
        options = [x for x in dict.fromkeys(pool) if x != right and x not in chosen and x not in without]
        rng.shuffle(options)
        missing = CANDIDATES - 1 - len(chosen)
        chosen += options[: missing if i >= len(pools) - 2 else min(2, missing)]
    return chosen


def _states(play: Screenplay, person: str) -> Iterator[Actor]:
    """A character in every beat that it is in."""
    for beat in play.beats:
        if actor := beat.actor(person):
            yield actor


def _has(actor: Actor | None, thing: str) -> bool:
    """Whether an actor holds or wears an object."""
    return actor is not None and thing in (actor.holding, actor.wearing)
