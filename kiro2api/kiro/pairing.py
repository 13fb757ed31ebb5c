# -*- test-case-name: tests.kiro.test_pairing -*-
"""The tool calls of one assistant message and their results in the user message after it.

Pairs by message and id, never by id alone: clients use an id again later, and what looks like
a duplicate there is another call. Must not know where the messages stand.

Wire: every call is answered in the next user message, by one result per id, and nothing else is
answered there.
"""

from typing import Any

from kiro2api.conversation.question import Document, Image, Text, ToolResult
from kiro2api.kiro.naming import Labels
from kiro2api.kiro.wording import INTERRUPTED, SILENT, document_note, reference_note


class Calls:
    """The calls that one assistant message makes.

    :param labels: gives the upstream ids, unique in the whole conversation.
    """

    def __init__(self, labels: Labels) -> None:
        self.unanswered = 0
        """Calls of which ``results`` had to say that they have none."""
        self._labels = labels
        self._ids: dict[str, list[str]] = {}
        self._answered: dict[str, int] = {}
        self._answers: dict[str, dict[str, Any] | None] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def called(self, id: str) -> str:
        """The upstream id of a further call with the client's ``id``."""
        label = self._labels.give(id)
        self._ids.setdefault(id, []).append(label)
        self._answers[label] = None
        return label

    def answered(self, result: ToolResult) -> bool:
        """Take a result; False if it answers none of these calls.

        The k-th result of an id goes to the k-th call that bears it, all further ones to the
        last: clients report progress as several results of one call.
        """
        labels = self._ids.get(result.id)
        if labels is None:
            return False
        position = self._answered.get(result.id, 0)
        self._answered[result.id] = position + 1
        label = labels[min(position, len(labels) - 1)]
        blocks = [{"text": text} for text in result_texts(result)]
        status = "error" if result.is_error else "success"
        earlier = self._answers[label]
        if earlier is None:
            self._answers[label] = {"toolUseId": label, "content": blocks, "status": status}
        else:
            earlier["content"] += blocks
            earlier["status"] = status
        return True

    def results(self) -> list[dict[str, Any]]:
        """One result per call, in the order of the calls; a call without one was interrupted."""
        self.unanswered = sum(answer is None for answer in self._answers.values())
        return [
            _interrupted(label) if answer is None else _never_empty(answer)
            for label, answer in self._answers.items()
        ]


def result_texts(result: ToolResult) -> list[str]:
    """What a result says, piece by piece, without empty pieces."""
    texts = []
    for part in result.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, Document):
            texts.append(document_note(part))
        elif not isinstance(part, Image):
            texts.append(reference_note(part))
    return [text for text in texts if text]


def _interrupted(label: str) -> dict[str, Any]:
    return {"toolUseId": label, "content": [{"text": INTERRUPTED}], "status": "error"}


def _never_empty(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer["content"]:
        answer["content"].append({"text": SILENT})
    return answer
