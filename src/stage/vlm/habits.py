"""Families of vision-language models: what each is trained to read and to print, found in a model's name or type"""

from __future__ import annotations

import re

from stage.vlm.chat import Habits

QWEN_3 = Habits(stamp="<{:.1f} seconds>", boxes="thousandths", spans=True)
"""Frames of a film are preceded by their seconds; positions are 0 to 1000 of each side."""
QWEN_2_5 = Habits(boxes="pixels", spans=True, grid=28)
"""Pixels of the picture as the model gets it: patches of 14 pixels, of which 2 x 2 become one token."""
FAMILIES = (
    (re.compile(r"timelens.*qwen25|qwen25.*timelens|timelens7b"), QWEN_2_5),
    (re.compile(r"timelens"), QWEN_3),
    (re.compile(r"qwen(3vl|35|4)"), QWEN_3),
    (re.compile(r"qwen25vl|openo3"), QWEN_2_5),
    (re.compile(r"internvl"), Habits(boxes="thousandths")),
    (re.compile(r"glm(4[56]?v|5)"), Habits(boxes="thousandths")),
)
"""The first that occurs in a name decides; for all others see the defaults of `Habits`."""


def habits_of(*names: str) -> Habits:
    """The habits of a model, by what it is called: its hub name or folder, then the `model_type` of its config.json.

    Letters and digits count, not the signs between them: "Qwen/Qwen3-VL-2B-Instruct" is a "qwen3vl".
    """
    for name in names:
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        for pattern, habits in FAMILIES:
            if pattern.search(plain):
                return habits
    return Habits()
