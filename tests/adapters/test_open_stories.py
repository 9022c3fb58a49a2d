"""The contract of OpenStories over its two members, and what a file promises besides."""

from pathlib import Path
from typing import Any

import pytest

from croupier.adapters.memory import MemoryStories
from croupier.adapters.stories import StoryFile
from croupier.ports import OpenStories, UnavailableError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stories"


@pytest.fixture(params=["memory", "file"])
def stories(request: pytest.FixtureRequest, path: Path) -> OpenStories:
    return MemoryStories() if request.param == "memory" else StoryFile(path)


def test_no_copy_of_the_open_stories_is_an_empty_one(stories: OpenStories) -> None:
    assert stories.load() == []


def test_a_copy_of_the_open_stories_replaces_the_one_before(stories: OpenStories) -> None:
    chunks = [b"first", bytes(range(256)) * 400, b"\x00"]
    stories.save(iter(chunks))
    assert stories.load() == chunks
    stories.save([b"other"])
    assert stories.load() == [b"other"]
    stories.save([])
    assert stories.load() == []


def test_an_empty_chunk_is_a_chunk(stories: OpenStories) -> None:
    stories.save([b"first", b"", b"last"])
    assert stories.load() == [b"first", b"", b"last"]


def test_a_copy_that_breaks_off_leaves_the_one_before(stories: OpenStories) -> None:
    def breaking_off() -> Any:
        yield b"half"
        raise RuntimeError("broken off")

    stories.save([b"whole"])
    with pytest.raises(RuntimeError):
        stories.save(breaking_off())
    assert stories.load() == [b"whole"]


# --- the file -------------------------------------------------------------------------------------

CHUNKS = [b"header", bytes(range(1, 64)), b"last"]


def test_a_copy_cut_anywhere_is_no_copy(path: Path) -> None:
    stories = StoryFile(path)
    stories.save(CHUNKS)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert stories.load() == []


def test_a_copy_with_a_changed_byte_is_no_copy(path: Path) -> None:
    """Also in the lengths and the checksums."""
    stories = StoryFile(path)
    stories.save(CHUNKS)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert stories.load() == []


def test_a_copy_whose_end_was_never_written_is_no_copy(path: Path) -> None:
    """After a power cut a file may have its length, and zeros where its last pages should be."""
    stories = StoryFile(path)
    stories.save(CHUNKS)
    whole = path.read_bytes()
    for written in range(len(whole)):
        path.write_bytes(whole[:written] + bytes(len(whole) - written))
        assert stories.load() in ([], CHUNKS)


@pytest.mark.parametrize("content", [b"", b"\x00", b"garbage" * 99, b"\xff" * 8, b"\xff" * 99])
def test_garbage_in_place_of_a_copy_is_no_copy(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert StoryFile(path).load() == []


def test_a_folder_in_place_of_a_copy_is_no_copy(path: Path) -> None:
    path.mkdir()
    assert StoryFile(path).load() == []


def test_a_copy_that_finds_no_room_is_unavailable_and_leaves_the_one_before(path: Path) -> None:
    """/dev/full refuses every byte, as a full disk does."""
    stories = StoryFile(path)
    stories.save(CHUNKS)
    path.with_name("stories.draft").symlink_to("/dev/full")
    with pytest.raises(UnavailableError):
        stories.save(CHUNKS * 2)
    assert stories.load() == CHUNKS
