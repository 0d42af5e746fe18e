"""Train a tiny byte-level tokenizer, offline, in the environment of a tool that wants one: ``tokenizer.py FOLDER``."""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WORDS = " time year work life hand part case week fact idea area word side kind head home"
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def main() -> None:
    """Write what transformers needs to load it from a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # ASCII alone: tools draw tokens at random, and random bytes above it are no text that could be encoded again.
    alphabet = [letter for letter in pre_tokenizers.ByteLevel.alphabet() if "!" <= letter <= "~"] + ["\u0120"]
    special = list(SPECIAL.values())
    tokenizer.train_from_iterator(
        [WORDS] * 50, trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 131_072, "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | SPECIAL))
    model = {"model_type": "gpt2", "vocab_size": tokenizer.get_vocab_size(), "bos_token_id": 0, "eos_token_id": 1}
    (folder / "config.json").write_text(json.dumps(model))


main()
