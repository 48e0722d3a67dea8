"""Text that came from a patient's record, made harmless for a card.

A card's detail is GitHub-flavored Markdown, and the EHR turns it into HTML: a record may not bring
its own links, images, tags or formatting, nor turn the text around it. Its summary is plain text.
"""

from __future__ import annotations

import re
import unicodedata

# Long enough for any honest result or diagnosis, short enough to keep the line readable.
LONGEST_NAME = 120
_ELLIPSIS = "…"
# A letter of Vietnamese or Hebrew carries two marks; a flood of them hides the lines around it.
_MARKS_KEPT = 2

_MARKDOWN = re.compile(r"[\\`*_\[\]|~$]")
# GFM links bare addresses by itself.
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)
# GFM links a mail address even where its @ is escaped; with spaces around it there is none.
_MAIL = re.compile(r"(?<=\S)@(?=\S)")
# "<15" and "> 200" are no tags and stay readable where the Markdown is shown as it is.
_TAG_START = re.compile(r"<(?!=? ?[\d.,])")
_TAG_END = re.compile(r">(?!=? ?[\d.,])")
_ENTITY = re.compile(r"&(?=[#A-Za-z])")


def markdown(text: str) -> str:
    """The text as it reads, inside a line of Markdown."""
    text = _ENTITY.sub("&amp;", one_line(text))
    text = _TAG_END.sub("&gt;", _TAG_START.sub("&lt;", text))
    text = _MARKDOWN.sub(lambda found: f"\\{found[0]}", text)
    text = _ADDRESS.sub(lambda found: f"\\{found[0]}", text)
    return _MAIL.sub(" @ ", text)


def plain(text: str) -> str:
    """The text as it reads, where no markup is read. What could be a tag gets other brackets."""
    return _TAG_END.sub("\u203a", _TAG_START.sub("\u2039", one_line(text)))


def one_line(text: str) -> str:
    """Without control, format and unassigned characters, on one line, and not endless."""
    visible = "".join(
        " " if c.isspace() else c
        for c in unicodedata.normalize("NFC", text[: LONGEST_NAME * 8])
        if c.isspace() or not unicodedata.category(c).startswith("C")
    )
    return cut(" ".join(_thinned(visible).split()), LONGEST_NAME)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; what is too long ends in an ellipsis, after a whole letter."""
    if len(text) <= limit:
        return text
    end = limit - len(_ELLIPSIS)
    while end and _joins(text[end]):
        end -= 1
    return text[:end].rstrip() + _ELLIPSIS


def _thinned(text: str) -> str:
    """At most two combining marks to a letter."""
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= _MARKS_KEPT:
            kept.append(character)
    return "".join(kept)


def _joins(character: str) -> bool:
    """Whether a character belongs to the one before it: marks, and the skin tones of emoji."""
    skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return skin_tone or unicodedata.category(character).startswith("M")
