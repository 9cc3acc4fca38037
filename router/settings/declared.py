"""What `terms/settings.py` declares: the type of each field, and the text below it.

Both are read from the file, which stands beside its extension where the core is compiled: a
compiled class keeps `type` in place of `tuple[str, ...]`, and no file of its own that `inspect`
would find.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

from router.terms import settings


def types_of(part: Callable[..., object]) -> Mapping[str, object]:
    """Return the type of every field of a class of settings, in their order."""
    declared = {name: ast.unparse(field.annotation) for name, field in _fields(part.__name__)}
    return get_type_hints(SimpleNamespace(__annotations__=declared), vars(settings))


def texts_of(part: Callable[..., object]) -> Mapping[str, str]:
    """Return the text of every field of a class of settings, and of the class itself under `""`."""
    of_class = _classes()[part.__name__]
    found = {"": _one_line(ast.get_docstring(of_class) or "")}
    texts = dict(zip(of_class.body, of_class.body[1:], strict=False))
    for name, field in _fields(part.__name__):
        match texts.get(field):
            case ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = _one_line(words)
            case _:
                pass
    return found


def _fields(part: str) -> Iterator[tuple[str, ast.AnnAssign]]:
    for statement in _classes()[part].body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, statement
            case _:
                pass


@cache
def _classes() -> Mapping[str, ast.ClassDef]:
    text = Path(settings.__file__).with_name("settings.py").read_text(encoding="utf-8")
    return {one.name: one for one in ast.parse(text).body if isinstance(one, ast.ClassDef)}


def _one_line(text: str) -> str:
    return " ".join(text.split())
