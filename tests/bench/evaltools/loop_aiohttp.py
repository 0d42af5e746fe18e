"""A bare evaluation loop: ``loop_aiohttp.py BASE_URL MODEL QUESTIONS OUT CONCURRENCY TOKENS``."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import aiohttp

URL, MODEL, QUESTIONS, OUT, CONCURRENCY, TOKENS = sys.argv[1:]
TRIES, PAUSE_S = 5, 0.1


async def ask(session: aiohttp.ClientSession, question: dict[str, str]) -> dict[str, object]:
    """One sample, with a pause that doubles before each new try."""
    body = {"model": MODEL, "max_tokens": int(TOKENS), "temperature": 0}
    body["messages"] = [{"role": "user", "content": question["prompt"]}]
    error = ""
    for number in range(TRIES):
        try:
            async with session.post(f"{URL}/chat/completions", json=body) as response:
                response.raise_for_status()
                text = (await response.json())["choices"][0]["message"]["content"]
        except (aiohttp.ClientError, ValueError, LookupError) as failure:
            error = f"{type(failure).__name__}: {failure}"
            await asyncio.sleep(PAUSE_S * 2**number)
        else:
            found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
            return {"id": question["id"], "text": text, "score": int(found[-1:] == [question["target"]])}
    return {"id": question["id"], "error": error}


async def ask_all(waiting: Iterator[dict[str, str]], out: TextIO) -> None:
    """So many at a time, each kept when it is there."""
    connector = aiohttp.TCPConnector(limit=int(CONCURRENCY))
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:

        async def work() -> None:
            for question in waiting:
                print(json.dumps(await ask(session, question)), file=out)

        for _ in range(int(CONCURRENCY)):
            group.create_task(work())


with Path(OUT).open("w") as scores:
    asyncio.run(ask_all(map(json.loads, Path(QUESTIONS).read_text().splitlines()), scores))
