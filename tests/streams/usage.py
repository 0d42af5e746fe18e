"""Where token counts are."""

from __future__ import annotations

from streams.case import COUNTS, DONE, HI, HI_MARKS, STOP, USED, Case, chunk, data, say

from harness.exchange import Usage

USAGE = (
    Case(
        "usage in a chunk without choices",
        (*HI[:2], data({"choices": [], "usage": COUNTS}), DONE),
        text="Hi",
        usage=USED,
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "usage null until the end",
        (say("Hi", usage=None), STOP, data({"choices": [], "usage": COUNTS}), DONE),
        text="Hi",
        usage=USED,
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "usage beside the finish reason",
        (say("Hi"), chunk(finish="stop", usage=COUNTS), DONE),
        text="Hi",
        usage=USED,
        marks=HI_MARKS,
        outputs="1:1",
        names="usage_beside_choices",
    ),
    Case(
        "usage in every chunk, growing",
        (say("H", usage={**COUNTS, "completion_tokens": 1}), say("i", usage=COUNTS), STOP, DONE),
        text="Hi",
        usage=USED,
        marks="ev1=1 tok1=1 vis1=1 tokn=2 fin=3 done=4",
        outputs="1:1 2:1",
        names="usage_beside_choices usage_repeated",
    ),
    Case(
        "usage in x_groq",
        (say("Hi"), chunk(finish="stop", x_groq={"id": "r", "usage": COUNTS}), DONE),
        text="Hi",
        usage=USED,
        marks=HI_MARKS,
        outputs="1:1",
        names="usage_beside_choices usage_in_x_groq",
    ),
    Case(
        "usage inside the choice",
        (say("Hi"), data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": COUNTS}]}), DONE),
        text="Hi",
        usage=USED,
        marks=HI_MARKS,
        outputs="1:1",
        names="usage_beside_choices usage_in_choice",
    ),
    Case(
        "usage details",
        (
            *HI[:2],
            data(
                {
                    "choices": [],
                    "usage": {
                        **COUNTS,
                        "prompt_tokens_details": {"cached_tokens": 8},
                        "completion_tokens_details": {"reasoning_tokens": 1},
                    },
                }
            ),
            DONE,
        ),
        text="Hi",
        usage=Usage(9, 2, 8, 1),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "cache hits in DeepSeek's words",
        (*HI[:2], data({"choices": [], "usage": {**COUNTS, "prompt_cache_hit_tokens": 8}}), DONE),
        text="Hi",
        usage=Usage(9, 2, 8),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "cost and cache writes that the server states",
        (
            *HI[:2],
            data(
                {
                    "choices": [],
                    "usage": {
                        **COUNTS,
                        "num_cached_tokens": 3,
                        "prompt_tokens_details": {"cache_write_tokens": 4},
                        "cost": 0.25,
                    },
                }
            ),
            DONE,
        ),
        text="Hi",
        usage=Usage(9, 2, 3, None, 4, 0.25),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "cost in ticks",
        (*HI[:2], data({"choices": [], "usage": {**COUNTS, "cost_in_usd_ticks": 5_000_000_000}}), DONE),
        text="Hi",
        usage=Usage(9, 2, cost_usd=0.5),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "cost that is called an estimate",
        (*HI[:2], data({"choices": [], "usage": {**COUNTS, "estimated_cost": 0.0000268}}), DONE),
        text="Hi",
        usage=Usage(9, 2, cost_usd=0.0000268),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "cost that is no sum of money",
        (*HI[:2], data({"choices": [], "usage": {**COUNTS, "cost": -1, "cost_in_usd_ticks": "many"}}), DONE),
        text="Hi",
        usage=Usage(9, 2),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
    ),
    Case(
        "input and output tokens, one of them no count",
        (*HI[:2], data({"choices": [], "usage": {"input_tokens": 9, "output_tokens": "many"}}), DONE),
        text="Hi",
        usage=Usage(9),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
        names="usage_field_names usage_not_a_count",
    ),
    Case(
        "counts that are no counts",
        (
            *HI[:2],
            data({"choices": [], "usage": {"prompt_tokens": True, "completion_tokens": 2.0, "cached_tokens": -1}}),
            DONE,
        ),
        text="Hi",
        usage=Usage(None, 2),
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=4",
        outputs="1:1",
        names="usage_not_a_count",
    ),
)
