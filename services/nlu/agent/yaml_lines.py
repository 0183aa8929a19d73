"""YAML whose fields know their lines, and in which no key stands twice."""

from __future__ import annotations

import yaml

Path = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """Leaves dates as they are written: YAML's own reading of one that does not exist names no line."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class RepeatedKey(ValueError):
    """A key stands twice in one mapping; of the two YAML would silently drop the first."""


def read_yaml(text: str) -> tuple[object, yaml.Node | None]:
    """The values of a YAML text, and its tree for `line_of`. Raises yaml.YAMLError, RepeatedKey."""
    tree = yaml.compose(text, Loader=_Loader)
    if tree is not None:
        _refuse_repeated_keys(tree)
    return yaml.load(text, Loader=_Loader), tree  # noqa: S506 - a SafeLoader


def line_of(tree: yaml.Node | None, path: Path) -> int:
    """The line of a field, from 1; of one that is not there, of what should hold it."""
    line = 1
    for part in path:
        key, value = _child(tree, part)
        if key is None:
            break
        line, tree = key.start_mark.line + 1, value
    return line


def _child(tree: yaml.Node | None, part: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    """The node that names a part of a path, and the node of its value."""
    if isinstance(tree, yaml.MappingNode):
        return next(((key, value) for key, value in tree.value if key.value == str(part)), (None, None))
    if isinstance(tree, yaml.SequenceNode) and isinstance(part, int) and part < len(tree.value):
        return tree.value[part], tree.value[part]
    return None, None


def _refuse_repeated_keys(tree: yaml.Node) -> None:
    if isinstance(tree, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in tree.value:
            line = key.start_mark.line + 1
            if str(key.value) in lines:
                raise RepeatedKey(f"line {line}: {key.value} stands here and in line {lines[str(key.value)]}")
            lines[str(key.value)] = line
            _refuse_repeated_keys(value)
    elif isinstance(tree, yaml.SequenceNode):
        for value in tree.value:
            _refuse_repeated_keys(value)
