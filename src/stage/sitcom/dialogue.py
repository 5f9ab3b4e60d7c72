"""Dialogue of the sitcom: topics, facts, and templates for lines about them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from stage.sitcom.world import CAST

# Topic -> details of it, which lines mention.
TOPICS: dict[str, tuple[str, ...]] = {
    "exam": ("teacher", "grade", "questions"), "wedding": ("bride", "guests", "speech"),
    "rent": ("landlord", "contract", "money"), "dentist": ("tooth", "drill", "appointment"),
    "interview": ("salary", "boss", "application"), "storm": ("thunder", "rain", "roof"),
    "concert": ("singer", "tickets", "stage"), "holiday": ("beach", "flight", "hotel"),
    "party": ("guests", "music", "invitation"), "election": ("votes", "mayor", "campaign"),
    "race": ("runners", "finish", "training"), "movie": ("actor", "ending", "director"),
    "garden": ("weeds", "tomatoes", "soil"), "kitten": ("fur", "paws", "milk"),
    "divorce": ("lawyer", "papers", "judge"), "museum": ("paintings", "guard", "sculpture"),
    "lottery": ("numbers", "prize", "jackpot"), "recipe": ("flour", "oven", "butter"),
    "ghost": ("attic", "noises", "midnight"), "burglary": ("thief", "police", "jewels"),
    "neighbour": ("drums", "noise", "hallway"), "surgery": ("hospital", "nurse", "stitches"),
    "robot": ("wires", "battery", "laboratory"), "painting": ("brush", "canvas", "gallery"),
    "funeral": ("grave", "priest", "coffin"), "diet": ("calories", "salad", "weight"),
    "marathon": ("miles", "medal", "sweat"), "carnival": ("masks", "parade", "clowns"),
    "spider": ("web", "legs", "cellar"), "airport": ("passport", "luggage", "gate"),
}  # fmt: skip

FEELINGS = ("nervous", "excited", "bored", "proud", "worried", "relieved", "jealous", "curious")
STATES = ("tired", "late", "upset", "busy", "grumpy")
REASONS = (
    "the bus broke down", "the alarm did not ring", "the dog ran away", "the neighbours were loud",
    "the train was cancelled", "the computer crashed", "the baby cried all night", "the keys were lost",
    "the boss called at midnight", "the elevator got stuck", "the heating failed", "the cat was sick",
    "the tyre was flat", "the shower was cold", "the power went out", "the oven caught fire",
    "the wallet was stolen", "the meeting took forever",
)  # fmt: skip
PURCHASES = (
    "candles", "a ladder", "a carpet", "earrings", "a tent", "a kettle", "curtains", "a drill", "perfume",
    "a puzzle", "sandals", "a microscope", "cookies", "a hammock", "stamps", "a telescope",
)  # fmt: skip

OPENINGS = (
    "I keep thinking about the {topic} .", "Did I tell you about the {topic} ?",
    "We really need to talk about the {topic} .", "You will not believe what happened with the {topic} .",
    "Everybody asks me about the {topic} .", "I had a dream about the {topic} last night .",
    "So , the {topic} is finally over .", "Nobody warned me about the {topic} .",
    "Listen , I have news about the {topic} .", "My mother called because of the {topic} .",
    "Honestly , the {topic} is a disaster .", "The {topic} and the {detail} , that is all I do these days .",
    "Guess who forgot about the {topic} ?", "It is the {topic} again , with the {detail} and everything .",
)  # fmt: skip
REPLIES = (
    "And what about the {detail} ?", "I told you the {detail} would be trouble .", "Who takes care of the {detail} ?",
    "Is it true about the {detail} ?", "You always worry about the {detail} .", "The {detail} sounds wonderful .",
    "That reminds me of {other} and the {detail} .", "{other} said the same about the {detail} .",
    "Well , nobody likes the {detail} .", "Please do not mention the {detail} to {other} .",
    "Wait , there is a {detail} ?", "I would rather not know about the {detail} .",
    "The {detail} was the best part , I think .", "At least {other} helped me with the {detail} .",
    "Now I only wait for the {detail} .", "{other} thinks the {detail} is funny .",
    "I will never look at the {detail} again .", "First the {detail} , then the rest .",
    "Somebody has to deal with the {detail} , right ?", "But the {detail} , that is another story .",
)  # fmt: skip
CLOSINGS = (
    "Enough of the {topic} for today .", "And so much for the {topic} and the {detail} .",
    "I hope the {topic} is the last of my worries .", "Honestly , let us forget the {topic} .",
    "You know how it is with the {topic} and the {detail} .", "Well , the {topic} can wait .",
    "Nobody should take the {topic} so seriously .", "At least {other} liked the {topic} .",
    "Please , not a word about the {topic} to {other} .", "Maybe the {topic} was not so bad .",
    "Everybody will forget the {topic} by next week .", "Now you know all about the {topic} .",
    "That was it about the {topic} , I promise .", "First the {topic} , then {other} , what a week .",
)  # fmt: skip
REASON_LINES = (
    "I am {state} because {reason} .", "Sorry that I am so {state} , {reason} .", "{reason} , so now I am {state} .",
    "If I seem {state} , it is because {reason} .",
)  # fmt: skip
FEELING_LINES = (
    "I feel {feeling} about the {detail} .", "To tell the truth , I am {feeling} .",
    "Do I look {feeling} ? Because I am .", "All this makes me so {feeling} .",
)  # fmt: skip
PURCHASE_LINES = (
    "I want to buy {purchase} for it .", "Tomorrow I will buy {purchase} .",
    "First I have to buy {purchase} , though .",
    "Maybe I should buy {purchase} .",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that only the dialogue mentions: a reason, a feeling or a purchase of the speaker."""

    kind: str
    """reason, feeling or purchase"""
    speaker: str
    value: str
    state: str = ""
    """For a reason: the speaker's state that it explains."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A line of dialogue without its time."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two or more lines about one topic."""

    topic: str
    owner: str
    """The character who talks about the topic: the first speaker."""
    partner: str
    fact: Fact
    lines: tuple[Utterance, ...]


def make_exchange(rng: Random, topic: str, owner: str, partner: str, fact: Fact) -> Exchange:
    """Write an exchange: the owner opens, a fact, replies and remarks follow, the last line names the topic again."""
    details = list(TOPICS[topic])
    rng.shuffle(details)

    def line(speaker: str, templates: tuple[str, ...]) -> Utterance:
        others = [name for name in CAST if name not in (owner, partner)]
        text = rng.choice(templates).format(
            topic=topic, detail=rng.choice(details), other=rng.choice(others).capitalize(),
            state=fact.state, reason=fact.value, feeling=fact.value, purchase=fact.value,
        )  # fmt: skip
        return Utterance(speaker, text[0].upper() + text[1:])

    facts = {"reason": REASON_LINES, "feeling": FEELING_LINES, "purchase": PURCHASE_LINES}
    opening, fact_line = line(owner, OPENINGS), line(fact.speaker, facts[fact.kind])
    if fact.speaker == owner:
        lines = [opening, line(partner, REPLIES), fact_line, line(partner, CLOSINGS)]
    else:
        lines = [opening, fact_line, line(owner, CLOSINGS)]
    return Exchange(topic, owner, partner, fact, tuple(lines))


def make_facts(rng: Random, count: int) -> list[tuple[str, str, str]]:
    """(kind, value, state) for each of `count` exchanges of an episode; values are distinct."""
    kinds = ["reason", "feeling", "purchase"]
    pools = {"reason": list(REASONS), "feeling": list(FEELINGS), "purchase": list(PURCHASES)}
    for pool in pools.values():
        rng.shuffle(pool)
    order = [kinds[i % 3] for i in range(count)]
    rng.shuffle(order)
    return [(kind, pools[kind].pop(), rng.choice(STATES) if kind == "reason" else "") for kind in order]
