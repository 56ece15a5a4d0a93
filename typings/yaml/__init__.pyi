"""The part of PyYAML that `modwire map import` uses."""

class Mark:
    line: int
    column: int

class YAMLError(Exception): ...

class MarkedYAMLError(YAMLError):
    problem: str | None
    problem_mark: Mark | None

class Node:
    tag: str
    start_mark: Mark

class ScalarNode(Node):
    value: str

class SequenceNode(Node):
    value: list[Node]

class MappingNode(Node):
    value: list[tuple[Node, Node]]

class SafeLoader: ...

def compose(stream: str, Loader: type[object] = ...) -> Node | None: ...
