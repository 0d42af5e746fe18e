"""The 25 instructions of IFEval, each as a function of the answer and its arguments.

They follow the rules by which the published scores were made, odd ones too (a keyword counts inside a longer word, a
bullet is a star that no star follows). None of them takes longer than a few passes over the answer, whatever it is.

Source: google-research, ``instruction_following_eval/instructions.py`` for the rules; arXiv:2311.07911.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_LONGEST = 100_000
"""Characters of an answer whose sentences and language are looked at: more is no answer to any of these prompts."""
_CONSTRAINED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")

Follows = Callable[..., bool | None]
"""Of the answer and the instruction's arguments; None: it cannot be told."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of one prompt."""

    id: str
    kwargs: Mapping[str, Any]
    follows: Follows


@dataclass(frozen=True, slots=True)
class Check:
    """How one kind of instruction is checked."""

    follows: Follows
    arguments: Mapping[str, type] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    """Modules of the extra ``scorers`` that it needs."""


def _related(count: int, relation: str, bound: int) -> bool:
    return count < bound if relation == "less than" else count >= bound


# --- words and letters -----------------------------------------------------------------------------------


def _existence(text: str, keywords: list[str]) -> bool:
    return all(re.search(re.escape(word), text, re.IGNORECASE) for word in keywords)


def _frequency(text: str, keyword: str, frequency: int, relation: str) -> bool:
    return _related(len(re.findall(re.escape(keyword), text, re.IGNORECASE)), relation, frequency)


def _forbidden(text: str, forbidden_words: list[str]) -> bool:
    return not any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in forbidden_words)


def _letters(text: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    return _related(text.lower().count(letter.lower()), let_relation, let_frequency)


def _words(text: str, relation: str, num_words: int) -> bool:
    return _related(len(re.findall(r"\w+", text)), relation, num_words)


def _sentences(text: str, relation: str, num_sentences: int) -> bool:
    return _related(len(_split_sentences(text)), relation, num_sentences)


def _capital_words(text: str, capital_relation: str, capital_frequency: int) -> bool:
    words = _tokenizer()
    capital = sum(word.isupper() for sentence in _split_sentences(text) for word in words(sentence))
    return _related(capital, capital_relation, capital_frequency)


def _split_sentences(text: str) -> list[str]:
    sentences: list[str] = importlib.import_module("punkt").sent_tokenize(text[:_LONGEST])
    return sentences


@functools.cache
def _tokenizer() -> Callable[[str], list[str]]:
    split: Callable[[str], list[str]] = importlib.import_module("nltk.tokenize").NLTKWordTokenizer().tokenize
    return split


# --- language and case -----------------------------------------------------------------------------------


def _language(text: str, language: str) -> bool | None:
    found = _detected(text)
    return None if found is None else found == language


def _capital(text: str) -> bool | None:
    return _language(text, "en") if text.isupper() else False


def _lowercase(text: str) -> bool | None:
    return _language(text, "en") if text.islower() else False


def _detected(text: str) -> str | None:
    langdetect = importlib.import_module("langdetect")
    langdetect.DetectorFactory.seed = 0  # it draws at random, and the same answer must get the same score
    try:
        found: str = langdetect.detect(text[:_LONGEST])
    except langdetect.LangDetectException:
        return None
    return found


# --- parts -----------------------------------------------------------------------------------------------


def _paragraphs(text: str, num_paragraphs: int) -> bool:
    return _filled(re.split(r"\s?\*\*\*\s?", text)) == num_paragraphs


def _filled(parts: list[str]) -> int | None:
    """How many parts hold something; None: one in the middle is empty."""
    if any(not part.strip() for part in parts[1:-1]):
        return None
    return sum(bool(part.strip()) for part in parts)


def _first_word(text: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    parts = text.split("\n\n")
    if sum(bool(part.strip()) for part in parts) != num_paragraphs or not 1 <= nth_paragraph <= num_paragraphs:
        return False
    words = parts[nth_paragraph - 1].split()
    begun = words[0].lstrip("'").lstrip('"') if words else ""
    return bool(words) and re.split(r"""[.,?!'"]""", begun)[0].lower() == first_word.lower()


def _two_responses(text: str) -> bool:
    parts = text.split("******")
    answers = {part.strip() for part in parts} - {""}
    return _filled(parts) == len(answers) == 2


def _sections(text: str, section_spliter: str, num_sections: int) -> bool:
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", text)) >= num_sections


def _postscript(text: str, postscript_marker: str) -> bool:
    spaced = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    return re.search(spaced.get(postscript_marker, re.escape(postscript_marker.lower())), text.lower()) is not None


# --- marks -----------------------------------------------------------------------------------------------


def _placeholders(text: str, num_placeholders: int) -> bool:
    return sum(_bracketed(line) for line in text.split("\n")) >= num_placeholders


def _bracketed(line: str) -> int:
    """Pairs of brackets: from the first one that opens to the next that closes, and on from there."""
    found, at = 0, 0
    while (begin := line.find("[", at)) >= 0 and (end := line.find("]", begin)) >= 0:
        found, at = found + 1, end + 1
    return found


def _bullets(text: str, num_bullets: int) -> bool:
    stars, dashes, swallowed = 0, 0, False
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        mark = line.lstrip()[:2]
        dashes += mark.startswith("-")
        # The rule wants something behind the star that is no star: after a bare one that is the line's end, and the
        # next line is then the bullet's text.
        star = mark.startswith("*") and mark != "**" and not swallowed
        bare = star and line.endswith("*") and mark == "*"
        stars += star and not (bare and number == len(lines))
        swallowed = bare
    return stars + dashes == num_bullets


def _highlighted(text: str, num_highlights: int) -> bool:
    single = sum(bool(found.strip("*").strip()) for found in re.findall(r"\*[^\n*]*\*", text))
    double = sum(bool(found[2:-2].strip()) for found in re.findall(r"\*\*[^\n*]*\*\*", text))
    return single + double >= num_highlights


def _title(text: str) -> bool:
    for line in text.split("\n"):
        begin, end = line.find("<<"), line.rfind(">>")
        if begin >= 0 and end > begin + 2 and line[begin:end].lstrip("<").strip():
            return True
    return False


def _json(text: str) -> bool:
    bare = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        bare = bare.removeprefix(fence)
    try:
        json.loads(bare.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


# --- beginning and end -----------------------------------------------------------------------------------


def _repeats(text: str, prompt_to_repeat: str) -> bool:
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _ends(text: str, end_phrase: str) -> bool:
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def _quoted(text: str) -> bool:
    bare = text.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def _constrained(text: str) -> bool:
    return any(answer in text for answer in _CONSTRAINED)


def _no_comma(text: str) -> bool:
    return "," not in text


CHECKS: Mapping[str, Check] = {
    "keywords:existence": Check(_existence, {"keywords": list}),
    "keywords:frequency": Check(_frequency, {"keyword": str, "frequency": int, "relation": str}),
    "keywords:forbidden_words": Check(_forbidden, {"forbidden_words": list}),
    "keywords:letter_frequency": Check(_letters, {"letter": str, "let_frequency": int, "let_relation": str}),
    "language:response_language": Check(_language, {"language": str}, ("langdetect",)),
    "length_constraints:number_sentences": Check(_sentences, {"relation": str, "num_sentences": int}, ("punkt",)),
    "length_constraints:number_paragraphs": Check(_paragraphs, {"num_paragraphs": int}),
    "length_constraints:number_words": Check(_words, {"relation": str, "num_words": int}),
    "length_constraints:nth_paragraph_first_word": Check(
        _first_word, {"num_paragraphs": int, "nth_paragraph": int, "first_word": str}
    ),
    "detectable_content:number_placeholders": Check(_placeholders, {"num_placeholders": int}),
    "detectable_content:postscript": Check(_postscript, {"postscript_marker": str}),
    "detectable_format:number_bullet_lists": Check(_bullets, {"num_bullets": int}),
    "detectable_format:constrained_response": Check(_constrained),
    "detectable_format:number_highlighted_sections": Check(_highlighted, {"num_highlights": int}),
    "detectable_format:multiple_sections": Check(_sections, {"section_spliter": str, "num_sections": int}),
    "detectable_format:json_format": Check(_json),
    "detectable_format:title": Check(_title),
    "combination:two_responses": Check(_two_responses),
    "combination:repeat_prompt": Check(_repeats, {"prompt_to_repeat": str}),
    "startend:end_checker": Check(_ends, {"end_phrase": str}),
    "startend:quotation": Check(_quoted),
    "change_case:capital_word_frequency": Check(
        _capital_words, {"capital_relation": str, "capital_frequency": int}, ("punkt", "nltk")
    ),
    "change_case:english_capital": Check(_capital, libraries=("langdetect",)),
    "change_case:english_lowercase": Check(_lowercase, libraries=("langdetect",)),
    "punctuation:no_comma": Check(_no_comma),
}
"""By the data set's ids."""
