"""A loop over the official client: ``loop_openai.py BASE_URL MODEL QUESTIONS OUT CONCURRENCY TOKENS``."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import openai

URL, MODEL, QUESTIONS, OUT, CONCURRENCY, TOKENS = sys.argv[1:]


async def ask(client: openai.AsyncOpenAI, question: dict[str, str]) -> dict[str, object]:
    """One sample, with the client's own tries."""
    messages = [{"role": "user", "content": question["prompt"]}]
    try:
        answer = await client.chat.completions.create(
            model=MODEL, messages=messages, max_tokens=int(TOKENS), temperature=0
        )
    except (openai.OpenAIError, ValueError) as failure:  # a body that is no JSON comes as a ValueError
        return {"id": question["id"], "error": f"{type(failure).__name__}: {failure}"}
    text = answer.choices[0].message.content or ""
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return {"id": question["id"], "text": text, "score": int(found[-1:] == [question["target"]])}


async def ask_all(waiting: Iterator[dict[str, str]], out: TextIO) -> None:
    """So many at a time, each kept when it is there."""
    async with openai.AsyncOpenAI(base_url=URL, api_key="none") as client, asyncio.TaskGroup() as group:

        async def work() -> None:
            for question in waiting:
                print(json.dumps(await ask(client, question)), file=out)

        for _ in range(int(CONCURRENCY)):
            group.create_task(work())


with Path(OUT).open("w") as scores:
    asyncio.run(ask_all(map(json.loads, Path(QUESTIONS).read_text().splitlines()), scores))
