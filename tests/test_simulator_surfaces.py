"""The simulator beside chat: embeddings, responses and legacy completions, as the official client reads them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from served import serve
from transcripts import Reply

from harness.simulator.model.book import Book
from harness.simulator.profile import PROFILES
from harness.simulator.serving.service import Service
from harness.simulator.settings import with_settings

MODEL = "sim-small"
TOOL = {
    "type": "function",
    "name": "paint_wall",
    "description": "Paint the wall in a colour.",
    "parameters": {
        "type": "object",
        "properties": {"colour": {"type": "string", "enum": ["red"]}},
        "required": ["colour"],
        "additionalProperties": False,
    },
    "strict": True,
}


def service(*settings: str) -> Service:
    """A simulator that answers at once."""
    return Service(with_settings(PROFILES["null"], settings), Book({}))


def asked(path: str, to: Service | None = None, /, **body: Any) -> Any:
    """The JSON of an answer."""
    return parsed(posted(path, to, **body))


def posted(path: str, to: Service | None = None, /, **body: Any) -> Reply:
    """An answer."""
    return serve(to or service(), "POST", path, json.dumps({"model": MODEL, **body}).encode())


def parsed(reply: Reply) -> Any:
    """Its JSON."""
    return json.loads(reply.body)


@pytest.fixture
def client() -> Iterator[Any]:
    """The official client before a clean simulator, without a socket in between."""
    import httpx2
    from openai import OpenAI

    clean = service()

    def answer(request: httpx2.Request) -> httpx2.Response:
        reply = serve(clean, request.method, request.url.path, request.content)
        headers = {name: value for name, value in reply.headers.items() if name == "content-type"}
        return httpx2.Response(reply.status or 0, headers=headers, content=reply.body)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        OpenAI(api_key="none", base_url="http://127.0.0.1/v1", http_client=http, max_retries=0) as one,
    ):
        yield one


# --- embeddings ------------------------------------------------------------------------------------------


def test_an_embedding_is_a_unit_vector_of_its_text_alone(client: Any) -> None:
    """The official client, which asks for base64, reads what the API says as numbers: the same for the same text."""
    asked_twice = client.embeddings.create(model=MODEL, input=["a ship", "a lamp", "a ship"])
    first, second, third = (item.embedding for item in asked_twice.data)
    alone = client.embeddings.create(model=MODEL, input="a ship", encoding_format="float").data[0].embedding
    assert first == third == pytest.approx(alone)
    assert abs(sum(x * y for x, y in zip(first, second, strict=True))) < 0.4
    assert math.hypot(*first) == pytest.approx(1)
    assert [item.index for item in asked_twice.data] == [0, 1, 2]
    assert asked_twice.usage.prompt_tokens == asked_twice.usage.total_tokens == 6


def test_fewer_dimensions_are_the_first_ones_scaled(client: Any) -> None:
    """A shortened embedding points where the first numbers of the long one do."""
    long = client.embeddings.create(model=MODEL, input="a ship").data[0].embedding
    short = client.embeddings.create(model=MODEL, input="a ship", dimensions=8).data[0].embedding
    norm = math.hypot(*long[:8])
    assert short == pytest.approx([x / norm for x in long[:8]], rel=1e-5)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": [[1.5]]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": "a", "model": "nobody"}, "model"),
    ],
)
def test_a_mistaken_embedding_request_is_told_by_its_field(body: dict[str, Any], param: str) -> None:
    """Each mistake is refused, and the field that is wrong is named."""
    reply = posted("/v1/embeddings", **body)
    assert reply.status in (400, 404)
    assert parsed(reply)["error"]["param"] == param


def test_embeddings_are_late_and_fail_like_any_answer() -> None:
    """Faults and times are those of the profile, though no token is written."""
    slow = service("ttft_ms=70").reply
    assert posted("/v1/embeddings", service("http_500=1"), input="a").status == 500
    from harness.simulator.serving.turn import Incoming

    sends = slow(Incoming("POST", "/v1/embeddings", {}, b'{"model": "sim-small", "input": "a"}', 1)).sends
    assert [send.due_ns for send in sends if send.kind == "body"] == [70_000_000]


# --- legacy completions ----------------------------------------------------------------------------------


def test_completions_take_prompts_as_texts_and_as_tokens(client: Any) -> None:
    """A list is a choice for each prompt, tokens are counted as they are."""
    two = client.completions.create(model=MODEL, prompt=["Count to 3", "Count to 4"])
    assert [(choice.index, choice.text) for choice in two.choices] == [(0, "1, 2, 3"), (1, "1, 2, 3, 4")]
    assert len(client.completions.create(model=MODEL, prompt=[[5, 6], [7]], max_tokens=2).choices) == 2
    counts = [client.completions.create(model=MODEL, prompt=[9] * n).usage.prompt_tokens for n in (1, 4)]
    assert counts[1] - counts[0] == 3


def test_logprobs_of_completions_say_where_each_token_stands(client: Any) -> None:
    """Four arrays of one length; the offsets cut the text into its tokens, streamed or not."""
    fields: dict[str, Any] = {"model": MODEL, "prompt": "Once", "max_tokens": 6, "logprobs": 3}
    choice = client.completions.create(**fields).choices[0]
    told = choice.logprobs
    assert len(told.tokens) == len(told.token_logprobs) == len(told.top_logprobs) == 6
    ends = [*told.text_offset[1:], None]
    assert [choice.text[at:end] for at, end in zip(told.text_offset, ends, strict=True)] == told.tokens
    assert all(len(ranked) == 3 for ranked in told.top_logprobs)
    streamed = [chunk.choices[0].logprobs for chunk in client.completions.create(**fields, stream=True)]
    assert [at for one in streamed if one for at in one.text_offset] == told.text_offset


def test_a_suffix_is_counted_and_heard() -> None:
    """It adds to the prompt's tokens, and other words come of it."""
    plain = asked("/v1/completions", prompt="The ship")
    towards = asked("/v1/completions", prompt="The ship", suffix="came home.")
    assert towards["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] + 3
    assert towards["choices"][0]["text"] != plain["choices"][0]["text"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [10**9]}, "prompt"),
        ({"prompt": "a", "logprobs": True}, "logprobs"),
        ({"prompt": "a", "logprobs": 6}, "logprobs"),
        ({"prompt": "a", "suffix": 1}, "suffix"),
        ({"prompt": "a", "best_of": 1, "n": 2}, "best_of"),
        ({"prompt": "a", "best_of": 2, "stream": True}, "best_of"),
        ({"prompt": "a", "best_of": "2"}, "best_of"),
    ],
)
def test_a_mistaken_completion_request_is_told_by_its_field(body: dict[str, Any], param: str) -> None:
    """Each mistake is refused, and the field that is wrong is named."""
    reply = posted("/v1/completions", **body)
    assert (reply.status, parsed(reply)["error"]["param"]) == (400, param)


# --- responses -------------------------------------------------------------------------------------------


def test_the_official_client_streams_a_response(client: Any) -> None:
    """Its helper, which keeps a strict account of the events, ends with what is sent in one piece."""
    fields: dict[str, Any] = {"model": MODEL, "input": "Count to 4", "reasoning": {"effort": "low"}}
    with client.responses.stream(**fields) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == [*range(len(events))]
    assert final.output_text == client.responses.create(**fields).output_text == "1, 2, 3, 4"
    assert [item.type for item in final.output] == ["reasoning", "message"]
    usage = final.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert 0 < usage.output_tokens_details.reasoning_tokens < usage.output_tokens


def test_the_official_client_streams_a_call_and_sends_its_result(client: Any) -> None:
    """The call in the stream parses, and its result is read in the next turn, by id or with all items."""
    with client.responses.stream(model=MODEL, input="Hello.", tools=[TOOL], tool_choice="required") as stream:
        grown = "".join(event.delta for event in stream if event.type == "response.function_call_arguments.delta")
        first = stream.get_final_response()
    (call,) = first.output
    assert json.loads(call.arguments) == json.loads(grown) == {"colour": "red"}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "dry at noon"}
    again = client.responses.create(model=MODEL, input=[result], previous_response_id=first.id)
    items = [{"role": "user", "content": "Hello."}, call.model_dump(exclude_none=True), result]
    anew = client.responses.create(model=MODEL, input=items)
    assert again.output_text == anew.output_text == "The result is: dry at noon"
    assert again.usage.input_tokens == anew.usage.input_tokens


def test_instructions_hold_for_one_response_alone(client: Any) -> None:
    """The next turn knows what was said, and not how it was told to be said."""
    first = client.responses.create(
        model=MODEL, input="My name is Ada.", instructions="Reply only with AYE", max_output_tokens=32
    )
    assert first.output_text == "AYE"
    second = client.responses.create(model=MODEL, input="What is my name?", previous_response_id=first.id)
    assert second.output_text == "Your name is Ada."


def test_a_response_is_kept_until_it_is_deleted(client: Any) -> None:
    """GET gives it again unless store was false, DELETE ends that."""
    import openai

    kept = client.responses.create(model=MODEL, input="Say hello.")
    assert client.responses.retrieve(kept.id) == kept
    client.responses.delete(kept.id)
    unkept = client.responses.create(model=MODEL, input="Say hello.", store=False)
    for gone in (kept.id, unkept.id):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(gone)
    with pytest.raises(openai.BadRequestError, match="not found"):
        client.responses.create(model=MODEL, input="And?", previous_response_id=unkept.id)


def test_the_limit_and_the_format_hold_for_responses(client: Any) -> None:
    """A cut answer says so and why, a schema is kept, and tokens are counted beforehand as they are afterwards."""
    cut = client.responses.create(model=MODEL, input="Write a 300-word story.", max_output_tokens=20)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert cut.usage.output_tokens == 20
    form = {"type": "json_schema", "name": "a", "strict": True, "schema": {**TOOL["parameters"]}}  # type: ignore[dict-item]
    held = client.responses.create(model=MODEL, input="Hello.", text={"format": form})
    assert json.loads(held.output_text) == {"colour": "red"}
    counted = client.responses.input_tokens.count(model=MODEL, input="Hello.", text={"format": form})
    assert counted.input_tokens == held.usage.input_tokens


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": 7}, "input"),
        ({"input": []}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"role": "nobody", "content": "a"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "text"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "telepathy"}]}, "input[0].type"),
        ({"input": [{"type": "function_call", "name": "a", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "a", "output": "b"}]}, "input[0].role"),
        ({"input": "a", "instructions": 7}, "instructions"),
        ({"input": "a", "max_output_tokens": 3}, "max_output_tokens"),
        ({"input": "a", "temperature": 3}, "temperature"),
        ({"input": "a", "reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"input": "a", "reasoning": 7}, "reasoning"),
        ({"input": "a", "tool_choice": "required"}, "tool_choice"),
        ({"input": "a", "text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"input": "a", "text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"input": "a", "previous_response_id": "resp_0"}, "previous_response_id"),
    ],
)
def test_a_mistaken_response_request_is_told_by_its_field(body: dict[str, Any], param: str) -> None:
    """Each mistake is refused under the name that the field has here."""
    reply = posted("/v1/responses", **body)
    assert (reply.status, parsed(reply)["error"]["param"]) == (400, param)


@pytest.mark.parametrize("fault", ["inband_error", "cut"])
def test_a_streamed_response_fails_like_any_stream(fault: str) -> None:
    """An error comes as an event of its own type; a cut stream has no end."""
    reply = posted("/v1/responses", service(f"{fault}=1"), input="Count to 9", stream=True)
    kinds = [line.removeprefix(b"event: ") for line in reply.body.split(b"\n") if line.startswith(b"event: ")]
    assert b"response.completed" not in kinds
    assert (kinds[-1] == b"error") == (fault == "inband_error")


# --- deviations ------------------------------------------------------------------------------------------


def test_deviations_of_one_surface_leave_the_others_alone() -> None:
    """A fault in chat is not seen in responses, and one in responses not in completions."""
    faulty = service("mutants=ignore_max_tokens,no_done,resp_ignore_cap,cpl_404,emb_nested")
    story = "Write a 100-word story."
    assert asked("/v1/responses", faulty, input=story, max_output_tokens=16)["status"] == "completed"
    assert posted("/v1/completions", faulty, prompt="a").status == 404
    chat = asked("/v1/chat/completions", service("mutants=resp_ignore_cap"), messages=[_user(story)], max_tokens=4)
    assert chat["usage"]["completion_tokens"] == 4
    capped = asked("/v1/responses", service("mutants=ignore_max_tokens"), input=story, max_output_tokens=16)
    assert capped["status"] == "incomplete"


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("path", ["embeddings", "responses", "completions"])
def test_a_surface_is_posted_to(path: str, method: str) -> None:
    """Another method is told which one is allowed."""
    reply = serve(service(), method, f"/v1/{path}")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
