"""A small file system: folders and text files, with nothing behind it."""

from __future__ import annotations

from typing import Any

from harness.types import JsonObject, Sample
from harness.worlds.toolbox import CallError, Tool, carry_out, text

_MOST_ENTRIES = 1_000
_LONGEST_FILE = 20_000
_PATH = "Absolute path, such as /files/notes.txt"


class FileSystem:
    """Files by path with their text, and folders; paths are absolute, and ``/`` is always there."""

    def __init__(self, start: JsonObject) -> None:
        """``start`` is a state."""
        self._files: dict[str, str] = dict(start["files"])
        self._folders: set[str] = {"/", *start["folders"]}

    @classmethod
    def of(cls, sample: Sample) -> FileSystem:
        """The one that a sample begins with."""
        return cls(sample.metadata["start"])

    def call(self, name: str, arguments: str) -> str:
        """The result of a call as JSON text."""
        return carry_out(TOOLS, self, name, arguments)

    def state(self) -> JsonObject:
        """``files``: text by path; ``folders``: whether there, by path, without the root."""
        return {"files": dict(self._files), "folders": dict.fromkeys(sorted(self._folders - {"/"}), True)}

    # --- tools -----------------------------------------------------------------------------------------------

    def list_folder(self, path: str) -> Any:
        """What lies right in a folder."""
        folder = self._folder(path)
        inside = [*self._files, *(f"{one}/" for one in self._folders - {"/"})]
        return sorted(one.rpartition("/")[2] or one.split("/")[-2] + "/" for one in inside if _parent(one) == folder)

    def find_files(self, word: str) -> Any:
        """Paths of files that have a word in their name or text."""
        word = word.casefold()
        return sorted(path for path, held in self._files.items() if word in f"{path}\n{held}".casefold())

    def read_file(self, path: str) -> Any:
        """The text of a file."""
        return {"text": self._files[self._file(path)]}

    def write_file(self, path: str, text: str) -> Any:
        """Make a file or replace its text."""
        path = _whole(path)
        if path in self._folders:
            raise CallError(f"{path} is a folder")
        self._put(path, text)
        return {"written": path}

    def append_to_file(self, path: str, text: str) -> Any:
        """Put a line behind the last one of a file."""
        path = self._file(path)
        held = self._files[path]
        self._put(path, held + text.strip("\n"))
        return {"written": path}

    def make_folder(self, path: str) -> Any:
        """Make an empty folder."""
        path = self._free(path)
        self._refuse_more(1)
        self._folders.add(path)
        return {"made": path}

    def move(self, path: str, to: str) -> Any:
        """Give a file or a folder another path."""
        path, to = self._there(path), _whole(to)
        if f"{to}/".startswith(f"{path}/") or path == "/":
            raise CallError(f"{path} cannot be moved to {to}")
        moved, folders = self._copies(path, self._free(to))
        for old in (*self._below(self._files, path), *self._below(self._folders, path)):
            self._files.pop(old, None)
            self._folders.discard(old)
        self._files |= moved
        self._folders |= folders
        return {"moved": path, "to": to}

    def copy(self, path: str, to: str) -> Any:
        """Have a file or a folder a second time."""
        path, to = self._there(path), self._free(to)
        copied, folders = self._copies(path, to)
        self._refuse_more(len(copied) + len(folders))
        self._files |= copied
        self._folders |= folders
        return {"copied": path, "to": to}

    def delete(self, path: str) -> Any:
        """Delete a file or an empty folder."""
        path = self._there(path)
        inside = [one for one in (*self._files, *self._folders) if one != path and f"{one}/".startswith(f"{path}/")]
        if inside or path == "/":
            raise CallError(f"the folder {path} is not empty")
        self._files.pop(path, None)
        self._folders.discard(path)
        return {"deleted": path}

    # --- paths -----------------------------------------------------------------------------------------------

    def _there(self, path: str) -> str:
        path = _whole(path)
        if path not in self._files and path not in self._folders:
            raise CallError(f"there is no {path}")
        return path

    def _file(self, path: str) -> str:
        path = self._there(path)
        if path in self._folders:
            raise CallError(f"{path} is a folder")
        return path

    def _folder(self, path: str) -> str:
        path = self._there(path)
        if path in self._files:
            raise CallError(f"{path} is a file")
        return path

    def _free(self, path: str) -> str:
        """A path that nothing has yet, in a folder that is there."""
        path = _whole(path)
        if path in self._files or path in self._folders:
            raise CallError(f"{path} is there already")
        self._folder(_parent(path))
        return path

    def _put(self, path: str, held: str) -> None:
        """Have a text in a file; it ends in one line break whatever a model thinks of that."""
        self._folder(_parent(path))
        if len(held) > _LONGEST_FILE:
            raise CallError("the file would be too long")
        self._refuse_more(path not in self._files)
        self._files[path] = f"{held.rstrip()}\n" if held.strip() else ""

    def _refuse_more(self, entries: int) -> None:
        if len(self._files) + len(self._folders) + entries > _MOST_ENTRIES:
            raise CallError("the disk is full")

    def _copies(self, path: str, to: str) -> tuple[dict[str, str], set[str]]:
        """What is at a path and below it, as it stands at another."""
        files = {to + one[len(path) :]: self._files[one] for one in self._below(self._files, path)}
        return files, {to + one[len(path) :] for one in self._below(self._folders, path)}

    @staticmethod
    def _below(paths: dict[str, str] | set[str], path: str) -> list[str]:
        return [one for one in paths if one == path or one.startswith(f"{path}/")]


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0] or "/"


def _whole(path: str) -> str:
    """The path in the one way it is written here."""
    steps = [step for step in path.split("/") if step not in ("", ".")]
    if ".." in steps or len(steps) > 20 or len(path) > 400 or not path.startswith("/"):
        raise CallError(f"{path[:80]} is no absolute path without '..'")
    return "/" + "/".join(steps)


_AT = text(_PATH)
TOOLS = {
    tool.name: tool
    for tool in (
        Tool("list_folder", "List what lies in a folder; folders end in /.", {"path": _AT}, FileSystem.list_folder),
        Tool(
            "find_files",
            "Find the files that have a word in their name or text.",
            {"word": text("The word, in any case")},
            FileSystem.find_files,
        ),
        Tool("read_file", "Read a text file.", {"path": _AT}, FileSystem.read_file),
        Tool(
            "write_file",
            "Write a text file; one that is there is replaced.",
            {"path": _AT, "text": text("Its whole text")},
            FileSystem.write_file,
        ),
        Tool(
            "append_to_file",
            "Add a line at the end of a text file.",
            {"path": _AT, "text": text("The line")},
            FileSystem.append_to_file,
        ),
        Tool("make_folder", "Make an empty folder.", {"path": _AT}, FileSystem.make_folder),
        Tool(
            "move",
            "Move or rename a file or a folder; the new path must be free.",
            {"path": _AT, "to": text("New absolute path, with the new name")},
            FileSystem.move,
        ),
        Tool(
            "copy",
            "Copy a file or a folder; the new path must be free.",
            {"path": _AT, "to": text("Absolute path of the copy, with its name")},
            FileSystem.copy,
        ),
        Tool("delete", "Delete a file or an empty folder.", {"path": _AT}, FileSystem.delete),
    )
}
