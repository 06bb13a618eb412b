"""Examples: the configs that come with the package, by name."""

from __future__ import annotations

import re
from pathlib import Path

from nncli.core.errors import UsageError
from nncli.core.text import nearest

_PACKAGE = Path(__file__).parents[1]
_SHIPPED = re.compile(rb"\.\./datasets/([A-Za-z0-9_.-]+)")


def examples() -> dict[str, Path]:
    """Return the file of each example by its name."""
    # In a wheel the files lie inside the package, in a checkout beside it.
    for folder in (_PACKAGE / "_configs", _PACKAGE.parent / "configs"):
        found = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        if found:
            return found
    return {}


def title_of(path: Path) -> str:
    """Return the comment that a config begins with."""
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def copy_example(path: Path, folder: Path) -> list[tuple[str, str, str]]:
    """Copy an example, and the shipped data that it names, into a folder.

    The copy of the config names the copies of the data. Nothing is overwritten.

    Args:
        path: The example.
        folder: Where to.

    Returns:
        (file, ``written`` or ``kept``, what it is) of the config, then of each file.
    """
    text = path.read_bytes()
    names = sorted({name.decode() for name in _SHIPPED.findall(text)})
    files = {path.name: (_SHIPPED.sub(rb"\1", text), title_of(path))}
    for name in names:
        source = path.parent / ".." / "datasets" / name
        inside = source.rglob("*") if source.is_dir() else [source]
        for file in sorted(each for each in inside if each.is_file()):
            place = str(name / file.relative_to(source))
            files[place] = (file.read_bytes(), f"the data of {path.name}")
    told = []
    for name, (content, title) in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            with (folder / name).open("xb") as file:
                file.write(content)
            told.append((str(folder / name), "written", title))
        except FileExistsError:
            told.append((str(folder / name), "kept", title))
    return told


def find_config(path: Path) -> Path:
    """Return a file that is there, else the example that the path is the name of.

    Raises:
        UsageError: It is neither, but looks like a name.
    """
    name = str(path)
    known = examples()
    if path.exists() or path.name != name or path.suffix:
        return path
    if name in known:
        return known[name]
    raise UsageError(
        f"{name}: expected a YAML file or the name of an example, found neither. "
        f"{nearest(name, list(known))}"
    )
