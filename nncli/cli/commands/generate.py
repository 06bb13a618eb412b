"""``nncli generate``: text that a network continues, token by token."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.console import (
    AllowPlugins,
    Json,
    RunsDir,
    Threads,
    Trained,
    checked_text,
    note,
    read_stdin,
    say_json,
)
from nncli.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from nncli.data.vocabulary import Vocabulary
    from nncli.experiment.generate import Generator

EPILOG = """\b
Examples:
  nncli generate shakespeare_gpt-1 --prompt "ROMEO:" --tokens 99 --top-p 0.9
  nncli generate names-1 --prompt "" --tokens 150 --seed 2
  nncli generate shakespeare_gpt-1 --prompt "ROMEO:" --stop "\\n\\n" --json
  echo "To be" | nncli generate shakespeare_gpt-1 --top-k 40
"""


def generate(
    path: Trained,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="What the text begins with. By default what stdin holds; on a "
            "terminal, a conversation: each line is continued.",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option(min=1, help="How many tokens to make at most.")
    ] = 300,
    temperature: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=100.0,
            help="Below 1 prefers likely tokens; 0 takes the likeliest only.",
        ),
    ] = 0.8,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only the K likeliest tokens.", show_default="all of them"
        ),
    ] = None,
    top_p: Annotated[
        float,
        typer.Option(
            min=1e-9,
            max=1.0,
            help="Only the likeliest tokens that have this probability together.",
        ),
    ] = 1.0,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of the random choices.", show_default="the config's seed"
        ),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="End before this text (\\n is the end of a line); may be repeated.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    threads: Threads = None,
    allow_plugins: AllowPlugins = False,
    json: Json = False,
) -> None:
    """Let a network that was trained on text write.

    The prompt and what follows it are printed as they are made; the same seed gives the
    same text. A network with attention or positions sees at most a block of tokens:
    where there are more, it forgets all but the last half of them.
    """
    from nncli.core.randomness import stream
    from nncli.experiment.generate import Generator, Sampling
    from nncli.runs.sources import find_checkpoint
    from nncli.training.session import restore_network
    from nncli.training.threads import threads_of, using

    source = find_checkpoint(path, runs_dir)
    experiment = restore_network(source, allow_plugins=allow_plugins).experiment
    seed = experiment.config.seed if seed is None else seed
    sampling = Sampling(temperature, top_k, top_p)
    stops = [each.replace("\\n", "\n") for each in stop or ()]
    if not all(stops):
        raise UsageError("--stop: expected a text, got an empty one.")
    generator = Generator(experiment, sampling, stream(seed, "generation"))
    with using(threads or threads_of(experiment)), experiment.in_use():
        if prompt is None and sys.stdin.isatty() and not json:
            _converse(generator, tokens, stops)
            return
        given = _text_of(prompt)
        generator.feed(generator.vocabulary.encode(given, "prompt").tolist())
        if not json:
            _say(given)
        made = _write(generator, tokens, stops, given, quiet=json)
    if json:
        found = {"checkpoint": str(source), "prompt": given, **made}
        say_json({**found, "seed": seed})
    elif not made["text"].endswith("\n"):
        _say("\n")


def _text_of(prompt: str | None) -> str:
    """Return the prompt, or all that stdin holds without the end of its last line."""
    if prompt is None:
        return read_stdin().removesuffix("\n")
    return checked_text(prompt, "--prompt")


def _converse(generator: Generator, tokens: int, stops: list[str]) -> None:
    """Read lines from a terminal, and continue each until there are no more."""
    note("Each line is continued; Ctrl-D ends.")
    while True:
        sys.stderr.write("> ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            note("")
            return
        edge = generator.vocabulary.edge
        if edge is not None:
            # The end of the line would be that of the sequence to be continued.
            line = edge + line.removesuffix("\n")
        try:
            numbers = generator.vocabulary.encode(line, "prompt").tolist()
        except DataError as error:
            note(f"error: {error}")
            continue
        generator.feed(numbers)
        # Ctrl-C ends an answer, not the conversation.
        with contextlib.suppress(KeyboardInterrupt):
            _write(generator, tokens, stops, line)
        _say("\n")


def _write(
    generator: Generator,
    tokens: int,
    stops: list[str],
    before: str,
    *,
    quiet: bool = False,
) -> dict[str, Any]:
    """Print tokens as they are made; return the text, and how it ended."""
    pieces = Pieces(generator.vocabulary, stops, before)
    count = 0
    for token in itertools.islice(generator.tokens(), tokens):
        count += 1
        text = pieces.add(token)
        if not quiet:
            _say(text)
        if pieces.stopped:
            break
    text = pieces.rest()
    if not quiet:
        _say(text)
    reason = "stop" if pieces.stopped else "tokens"
    return {"text": pieces.text, "tokens": count, "ended_by": reason}


def _say(text: str) -> None:
    """Write text; to a terminal without what would control it."""
    if sys.stdout.isatty():
        text = "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()


class Pieces:
    """Tokens as text that can be printed, as far as no stop may begin in it.

    Args:
        vocabulary: Of the tokens.
        stops: Texts before which it ends.
        before: The text in front.

    Attributes:
        text: All that was given out.
        stopped: Whether a stop was reached.
    """

    def __init__(self, vocabulary: Vocabulary, stops: list[str], before: str) -> None:
        self.text = ""
        self.stopped = False
        self._vocabulary, self._stops = vocabulary, stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        numbers = vocabulary.encode(before, "prompt").tolist()
        self._last: int | None = numbers[-1] if numbers else None
        self._waiting = ""

    def add(self, token: int) -> str:
        """Return what can be printed, with one token more."""
        piece = self._vocabulary.piece(token, self._last)
        if self._vocabulary.tokenizer == "bytes":
            piece = self._decoder.decode(piece.encode("latin-1"))
        self._last = token
        self._waiting += piece
        ends = [place for s in self._stops if (place := self._waiting.find(s)) >= 0]
        if ends:
            self.stopped = True
            return self._out(min(ends), drop=True)
        return self._out(len(self._waiting) - self._held())

    def _held(self) -> int:
        """Return how many of the last characters a stop may begin with."""
        return max(
            (
                size
                for stop in self._stops
                for size in range(1, len(stop))
                if self._waiting.endswith(stop[:size])
            ),
            default=0,
        )

    def rest(self) -> str:
        """Return what was held back."""
        self._waiting += self._decoder.decode(b"", final=True)
        return "" if self.stopped else self._out(len(self._waiting))

    def _out(self, size: int, *, drop: bool = False) -> str:
        text, self._waiting = self._waiting[:size], self._waiting[size:]
        self._waiting = "" if drop else self._waiting
        self.text += text
        return text
