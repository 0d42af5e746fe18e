"""Tool calls put together from their pieces, in every known way of sending them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from harness.exchange import ToolCall
from harness.types import JsonObject
from harness.wire.shapes import repeats, sound


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of ``tool_calls``; empty text: not in this piece."""

    index: int | None
    """None: not stated."""
    id: str
    name: str
    arguments: str

    @property
    def output(self) -> bool:
        """Whether the model said something in it."""
        return bool(self.name or self.arguments)


def pieces(message: JsonObject, names: set[str]) -> list[Piece]:
    """Tool-call entries of one ``message`` or ``delta``.

    Names: ``legacy_function_call``, ``tool_calls_not_a_list``, ``tool_call_flat`` (no ``function`` object),
    ``tool_arguments_object`` (not text: kept as compact JSON), ``tool_index_not_int``, ``tool_id_not_text``.
    """
    calls = message.get("tool_calls")
    if isinstance(calls, dict):
        names.add("tool_calls_not_a_list")
        calls = [calls]
    found = [_piece(call, names) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        names.add("legacy_function_call")
        if not found:
            found = [Piece(0, "", _name(legacy), _arguments(legacy.get("arguments"), names))]
    return found


def _piece(call: JsonObject, names: set[str]) -> Piece:
    index = call.get("index")
    if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
        names.add("tool_index_not_int")
        text = str(index).removesuffix(".0")
        index = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
    ident = call.get("id")
    if ident is not None and not isinstance(ident, str):
        names.add("tool_id_not_text")
        ident = json.dumps(ident)
    custom = call.get("custom")
    if isinstance(custom, dict):
        return Piece(index, ident or "", _name(custom), _arguments(custom.get("input"), names))
    function = call.get("function")
    if not isinstance(function, dict):
        if "name" in call or "arguments" in call:
            names.add("tool_call_flat")
        function = call
    return Piece(index, ident or "", _name(function), _arguments(function.get("arguments"), names))


def _name(function: JsonObject) -> str:
    name = function.get("name")
    return name if isinstance(name, str) else ""


def _arguments(value: Any, names: set[str]) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    names.add("tool_arguments_object")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class _Call:
    index: int
    stated: bool
    """Whether the index came from the server."""
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def whole(self) -> bool:
        """Whether the arguments so far are complete JSON."""
        text = "".join(self.arguments)
        if not text.rstrip().endswith("}"):
            return False
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
        return True


class Calls:
    """Puts pieces together by index; where that does not say which call a piece belongs to, by id, name and order.

    Names: ``tool_index_missing``, ``tool_index_gap`` (not 0, 1, 2...), ``tool_index_reused`` (another call under an
    index that was taken), ``tool_head_repeated`` (id or name sent again), ``tool_id_changed`` (the first is kept),
    ``tool_name_changed`` (the first is kept), ``tool_name_split`` (joined), ``tool_name_late`` (after arguments),
    ``cumulative_arguments``. What is wrong with the calls that come of it is told by ``harness.contract``.
    """

    def __init__(self, names: set[str], *, streamed: bool) -> None:
        self._names = names
        self._streamed = streamed
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def add(self, piece: Piece) -> None:
        """Take the next piece; in an answer that was not streamed each is a call of its own."""
        if not (piece.output or piece.id):
            return
        call = self._find(piece) if self._streamed else None
        self._merge(call or self._new(piece), piece)

    def result(self) -> tuple[ToolCall, ...]:
        """The calls in the order of their indices."""
        if not self._calls:
            return ()
        ordered = sorted(self._calls, key=lambda call: call.index)
        stated = {call.index for call in ordered if call.stated}
        if stated and stated != set(range(len(stated))):
            self._names.add("tool_index_gap")
        for call in ordered:
            if repeats(call.arguments) == "cumulative":
                self._names.add("cumulative_arguments")
        return tuple(
            ToolCall(*(sound(text, self._names) for text in (call.id, call.name, "".join(call.arguments))))
            for call in ordered
        )

    def _new(self, piece: Piece) -> _Call:
        index = piece.index if piece.index is not None else len(self._calls)
        call = _Call(index, stated=piece.index is not None)
        self._calls.append(call)
        self._at[index] = call
        return call

    def _find(self, piece: Piece) -> _Call | None:
        """The call that a streamed piece goes on with; None: it begins one."""
        if piece.index is not None:
            call = self._at.get(piece.index)
            if call is None or not _begins_another(call, piece):
                return call
            self._names.add("tool_index_reused")
            return None
        self._names.add("tool_index_missing")
        last = self._calls[-1] if self._calls else None
        if last is None:
            return None
        if piece.id:
            same = next((call for call in reversed(self._calls) if call.id == piece.id), None)
            if same or piece.name:
                return same
            return None if last.whole() else last
        if piece.name and (piece.name != last.name or last.whole()):
            return None
        return last

    def _merge(self, call: _Call, piece: Piece) -> None:
        names = self._names
        if piece.id:
            if not call.id:
                call.id = piece.id
            else:
                names.add("tool_head_repeated" if call.id == piece.id else "tool_id_changed")
        if piece.name:
            if not call.name:
                call.name = piece.name
                if call.arguments:
                    names.add("tool_name_late")
            elif call.name == piece.name:
                names.add("tool_head_repeated")
            elif call.arguments:
                names.add("tool_name_changed")
            else:
                call.name += piece.name
                names.add("tool_name_split")
        if piece.arguments:
            call.arguments.append(piece.arguments)


def _begins_another(call: _Call, piece: Piece) -> bool:
    """Whether a piece under the same index is another call: servers that give every call index 0 send them whole."""
    if not piece.name or not call.name:
        return False
    if piece.id and call.id:
        return piece.id != call.id and (not call.arguments or call.whole())
    if not call.arguments:
        return False
    if piece.name != call.name:
        return True
    return bool(piece.arguments) and call.whole()
