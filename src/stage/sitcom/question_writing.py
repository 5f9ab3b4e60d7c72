"""Questions about an episode, with answers that are true at other moments or of other people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from stage.sitcom.dialogue import FEELINGS, PURCHASES, REASONS, TOPICS
from stage.sitcom.screenplay import MOODS, Beat, Screenplay
from stage.sitcom.world import CAST, HELD, PLACES, WORN, Actor

Needs = Literal["both", "dialogue", "pictures"]
Link = Literal["when", "before", "after"]

NEEDS: tuple[Needs, ...] = get_args(Needs)
LINKS: tuple[Link, ...] = get_args(Link)
CANDIDATES = 5
QUESTIONS_AN_EPISODE = 12


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before its answers are shuffled and its pictures are looked at."""

    text: str
    right: str
    wrong: tuple[str, ...]
    span: tuple[float, float]
    needs: Needs
    link: Link
    seen: tuple[str, ...]
    """Names and kinds (as in `world`) that the answer can't be seen without."""

    @property
    def kind(self) -> str:
        return self.text.split()[0].lower()


@dataclass(frozen=True, slots=True)
class When:
    """A moment of an episode and the words that name it."""

    words: str
    link: Link
    beat: Beat
    span: tuple[float, float]
    needs: Needs
    seen: tuple[str, ...] = ()
    about: frozenset[str] = frozenset()
    """What the words give away already; it is not asked for."""


Ask = Callable[[Random, Screenplay, When, Actor], Iterator[Draft]]


def drafts(rng: Random, play: Screenplay) -> list[Draft]:
    """Every question that can be asked about an episode and has one right answer, in random order."""
    found: list[Draft] = []
    for when in [*spoken_moments(play), *seen_moments(play)]:
        for actor in when.beat.actors:
            for ask in (_holding, _who_holds, _wearing, _who_wears, _looks, _place):
                found += ask(rng, play, when, actor)
    found += spoken_questions(rng, play)
    rng.shuffle(found)
    return found


def spoken_moments(play: Screenplay) -> Iterator[When]:
    """ "... when Leo talks about the exam": a line gives the moment."""
    for i, beat in enumerate(play.beats):
        talk = f"{name(beat.exchange.owner)} talks about the {beat.exchange.topic} ?"
        yield When(f"when {talk}", "when", beat, beat.talk, "both")
        if i + 1 < len(play.beats):
            nxt = play.beats[i + 1]
            yield When(f"after {talk}", "after", nxt, (nxt.start, nxt.lines[0].end), "both")
        if i:
            previous = play.beats[i - 1]
            yield When(f"before {talk}", "before", previous, (previous.lines[-1].start, previous.end), "both")


def seen_moments(play: Screenplay) -> Iterator[When]:
    """ "... when Leo is holding the guitar": a picture gives the moment, if it is so in one beat only."""
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
                    seen = (actor.name, thing)
                    yield When(
                        f"when {name(actor.name)} {words} ?",
                        "when",
                        beat,
                        span,
                        "pictures",
                        seen,
                        frozenset(seen),
                    )


def _holding(rng: Random, play: Screenplay, when: When, actor: Actor) -> Iterator[Draft]:
    if not actor.holding or actor.holding in when.about:
        return
    mine = [a.holding for a in _states(play, actor.name) if a.holding]
    theirs = [a.holding for a in when.beat.actors if a.holding]
    elsewhere = [a.holding for b in play.beats for a in b.actors if a.holding]
    wrong = _choose(rng, actor.holding, [mine, theirs, elsewhere, HELD], without=when.about)
    text = f"What is {name(actor.name)} holding {when.words}"
    answers = _phrase(rng, f"{name(actor.name)} is holding", [f"the {t}" for t in (actor.holding, *wrong)])
    seen = (actor.name, actor.holding, *when.seen)
    yield Draft(text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, seen)


def _wearing(rng: Random, play: Screenplay, when: When, actor: Actor) -> Iterator[Draft]:
    if not actor.wearing or actor.wearing in when.about:
        return
    right, wrong = actor.wearing, [w for w in WORN if w != actor.wearing]
    text = f"What is {name(actor.name)} wearing {when.words}"
    answers = _phrase(rng, f"{name(actor.name)} is wearing", [worn_phrase(w) for w in (right, *wrong)])
    yield Draft(
        text,
        answers[0],
        tuple(answers[1:]),
        when.span,
        when.needs,
        when.link,
        (actor.name, right, *when.seen),
    )


def _looks(rng: Random, play: Screenplay, when: When, actor: Actor) -> Iterator[Draft]:
    text = f"How does {name(actor.name)} look {when.words}"
    moods = [actor.mood, *(m for m in MOODS if m != actor.mood)]
    answers = _phrase(rng, f"{name(actor.name)} looks", moods)
    yield Draft(
        text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, (actor.name, *when.seen)
    )


def _place(rng: Random, play: Screenplay, when: When, actor: Actor) -> Iterator[Draft]:
    visited = [b.place for b in play.beats]
    wrong = _choose(rng, when.beat.place, [visited, PLACES])
    text = f"Where is {name(actor.name)} {when.words}"
    answers = _phrase(rng, f"{name(actor.name)} is", [place_phrase(p) for p in (when.beat.place, *wrong)])
    yield Draft(
        text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, (actor.name, *when.seen)
    )


def _who_holds(rng: Random, play: Screenplay, when: When, actor: Actor) -> Iterator[Draft]:
    if actor.holding and actor.holding not in when.about and actor.name not in when.about:
        text = f"Who is holding the {actor.holding} {when.words}"
        yield _who(rng, play, text, actor, actor.holding, when, f"is holding the {actor.holding}")


def _who_wears(rng: Random, play: Screenplay, when: When, actor: Actor) -> Iterator[Draft]:
    if actor.wearing and actor.wearing not in when.about and actor.name not in when.about:
        text = f"Who is wearing {worn_phrase(actor.wearing)} {when.words}"
        yield _who(rng, play, text, actor, actor.wearing, when, f"is wearing {worn_phrase(actor.wearing)}")


def _who(rng: Random, play: Screenplay, text: str, actor: Actor, thing: str, when: When, does: str) -> Draft:
    others = [b.actor(n) for b in play.beats for n in CAST]
    same_thing = [a.name for a in others if a and _has(a, thing)]
    present = [a.name for a in when.beat.actors]
    wrong = _choose(rng, actor.name, [same_thing, present, CAST], without=when.about & set(CAST))
    full = rng.random() < 0.5
    answers = [f"{name(n)} {does} ." if full else f"{name(n)} ." for n in (actor.name, *wrong)]
    seen = (actor.name, thing, *when.seen)
    return Draft(text, answers[0], tuple(answers[1:]), when.span, when.needs, when.link, seen)


def spoken_questions(rng: Random, play: Screenplay) -> Iterator[Draft]:
    """Questions that the dialogue alone answers."""
    said = {
        kind: [b.exchange.fact.value for b in play.beats if b.exchange.fact.kind == kind] for kind in FACTS
    }
    topics = [b.exchange.topic for b in play.beats]
    for i, beat in enumerate(play.beats):
        fact, exchange = beat.exchange.fact, beat.exchange
        talk = f"{name(exchange.owner)} talks about the {exchange.topic} ?"
        asked, answer, pool = FACTS[fact.kind]
        speaker = name(fact.speaker)
        wrong = _choose(rng, fact.value, [said[fact.kind], pool])
        text = asked.format(name=speaker, state=fact.state, topic=exchange.topic)
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
        answers = [f"{name(exchange.owner)} is talking to {name(n)} ." for n in (exchange.partner, *wrong)]
        yield Draft(
            f"Who is {name(exchange.owner)} talking to when {talk}", answers[0], tuple(answers[1:]), beat.talk,
            "dialogue", "when", (exchange.partner,),
        )  # fmt: skip
        neighbours: list[tuple[Link, int]] = [("after", i + 1), ("before", i - 1)]
        for link, j in neighbours:
            if 0 <= j < len(play.beats):
                other = play.beats[j].exchange
                wrong = _choose(
                    rng, other.topic, [topics, tuple(TOPICS)], without=frozenset({exchange.topic})
                )
                answers = [f"{name(other.owner)} talks about the {t} ." for t in (other.topic, *wrong)]
                text = f"What does {name(other.owner)} talk about {link} {talk}"
                yield Draft(
                    text, answers[0], tuple(answers[1:]), play.beats[j].talk, "dialogue", link, (other.owner,)
                )


FACTS: dict[str, tuple[str, str, Sequence[str]]] = {
    "reason": ("Why is {name} so {state}", "Because {value} .", REASONS),
    "feeling": ("How does {name} feel about the {topic}", "{name} feels {value} .", FEELINGS),
    "purchase": ("What does {name} want to buy", "{name} wants to buy {value} .", PURCHASES),
}
"""Kind of fact -> question, answer, and what else could have been said."""


def select(
    rng: Random, candidates: Iterable[Draft], visible: Callable[[Draft], bool], count: int
) -> list[Draft]:
    """At most `count` questions in the proportions of TVQA's types, links and of what they need.

    visible: whether the pictures of the draft's span show what it takes to answer it.
    """
    pools: dict[tuple[str, Needs, Link], list[Draft]] = {}
    for draft in candidates:
        pools.setdefault((draft.kind, draft.needs, draft.link), []).append(draft)
    chosen: list[Draft] = []
    for _ in range(count * 8):
        if len(chosen) == count:
            break
        kind: str = rng.choices(tuple(KINDS), [weight for weight, _ in KINDS.values()])[0]
        needs = rng.choices(NEEDS, KINDS[kind][1])[0]
        link = rng.choices(LINKS, (72, 14, 14))[0]
        pool = pools.get((kind, needs, link), []) or pools.get((kind, needs, "when"), [])
        while pool:
            draft = pool.pop()
            if visible(draft) and not any(draft.text == other.text for other in chosen):
                chosen.append(draft)
                break
    return chosen


KINDS: dict[str, tuple[int, tuple[int, int, int]]] = {
    "what": (58, (58, 14, 28)),
    "who": (13, (60, 15, 25)),
    "where": (11, (75, 0, 25)),
    "why": (9, (0, 1, 0)),
    "how": (9, (60, 25, 15)),
}
"""Share of a question type, and within it of what is needed: both, dialogue, pictures."""


def name(person: str) -> str:
    return person.capitalize()


def worn_phrase(thing: str) -> str:
    return thing if thing == "glasses" else f"a {thing}"


def place_phrase(place: str) -> str:
    return f"on the {place}" if place == "street" else f"in the {place}"


def _phrase(rng: Random, subject: str, values: Sequence[str]) -> list[str]:
    """The same answers as full sentences or as short ones: one style for all candidates of a question."""
    if rng.random() < 0.6:
        return [f"{subject} {value} ." for value in values]
    return [f"{value[0].upper()}{value[1:]} ." for value in values]


def _choose(
    rng: Random, right: str, pools: Sequence[Sequence[str]], without: frozenset[str] = frozenset()
) -> list[str]:
    """Four wrong answers: from the first pools as far as they reach, no pool giving more than two before the last."""
    chosen: list[str] = []
    for i, pool in enumerate(pools):
        left = [x for x in dict.fromkeys(pool) if x != right and x not in chosen and x not in without]
        rng.shuffle(left)
        room = CANDIDATES - 1 - len(chosen)
        chosen += left[: room if i >= len(pools) - 2 else min(2, room)]
    return chosen


def _states(play: Screenplay, person: str) -> Iterator[Actor]:
    for beat in play.beats:
        if actor := beat.actor(person):
            yield actor


def _has(actor: Actor | None, thing: str) -> bool:
    return actor is not None and thing in (actor.holding, actor.wearing)
