"""The official client as a witness: on clean streams it must understand what we understand."""

from __future__ import annotations

import json

import pytest
from streams.case import DONE, ROLE, STOP, USED, chunk, data, exchange, fn, say, tool

from harness.wire.assemble import assemble

CLEAN = {
    "text": (
        ROLE,
        say("Hel"),
        say("lo é\u2028!"),
        STOP,
        data(
            {
                **json.loads(STOP[6:]),
                "choices": [],
                "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
            }
        ),
        DONE,
    ),
    "refusal": (ROLE, chunk({"refusal": "No"}), chunk({"refusal": "."}), STOP, DONE),
    "tools": (
        ROLE,
        tool(fn("weather", "", index=0, id="a", type="function")),
        tool(fn(None, '{"city":', index=0)),
        tool(fn(None, '"Oslo"}', index=0)),
        tool(fn("time", '{"zone":"CET"}', index=1, id="b", type="function")),
        chunk(finish="tool_calls"),
        DONE,
    ),
    "comments and CRLF": tuple(one.replace(b"\n", b"\r\n") for one in (b": ping\n\n", ROLE, say("Hi"), STOP, DONE)),
    "one read": (b"".join((ROLE, say("Hi"), STOP, DONE)),),
}


@pytest.mark.parametrize("name", CLEAN)
def test_official_client(name: str) -> None:
    """On clean streams the official client adds up the same completion from the same bytes."""
    import httpx2
    from openai import OpenAI
    from openai.lib.streaming.chat import ChatCompletionStreamState

    body = b"".join(CLEAN[name]).replace(b'"model":', b'"created": 1, "model":')

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    state = ChatCompletionStreamState()
    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        OpenAI(api_key="none", base_url="http://127.0.0.1/v1", http_client=http, max_retries=0) as client,
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True) as stream,
    ):
        for one in stream:
            state.handle_chunk(one)
    theirs = state.get_final_completion()
    message = theirs.choices[0].message
    ours = assemble(exchange([(1, body)]), stream=True).completion
    assert ours is not None
    assert (ours.text, ours.refusal) == (message.content or "", message.refusal or "")
    assert ours.finish_reason == theirs.choices[0].finish_reason
    assert (ours.response_id, ours.model) == (theirs.id, theirs.model)
    assert [(call.id, call.name, call.arguments) for call in ours.tool_calls] == [
        (call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []
    ]
    assert (ours.usage is None) is (theirs.usage is None)
    assert name != "text" or ours.usage == USED
    assert ours.deviations == ()
