"""What can be told of the Swift without a compiler: surface.py SOURCE..., with the generated source first.

Every source parses; every call of something that the package declares has the labels of one of its declarations; every name that is
used is declared, or Swift's own. Needs tree-sitter and tree-sitter-swift.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterator

import tree_sitter_swift
from tree_sitter import Language, Node, Parser

# What the sources use of the standard library and of Foundation.
FOREIGN = set(
    """
    ArraySlice AsyncIteratorProtocol AsyncSequence Bool CommandLine Data Dictionary Error FileManager Foundation Int Int64 Portbook
    Sendable String Task URL UInt32 UTF8 Void
    addTask append appendingPathComponent arguments as atomically compactMap components count createDirectory decoding default describing dropFirst
    fileURLWithPath flatMap forKey init isEmpty joined key keys last map next of path prefix print removeFirst removeValue self
    separatedBy separator sorted uniqueKeysWithValues utf8 value withIntermediateDirectories withThrowingTaskGroup write
    """.split()
)

Signature = list[tuple[str, bool]]  # the label of each parameter, "_" for none, and whether it may be left out


class Source:
    def __init__(self, path: Path, parser: Parser) -> None:
        self.path = path
        # The grammar does not know this attribute, which says nothing to a caller.
        self.text = re.sub(rb"@_documentation\(visibility: private\)", lambda found: b" " * len(found[0]), path.read_bytes())
        self.root = parser.parse(self.text).root_node

    def of(self, node: Node) -> str:
        return self.text[node.start_byte : node.end_byte].decode().strip("`")

    def where(self, node: Node) -> str:
        return f"{self.path.name}:{node.start_point[0] + 1}"


def within(node: Node, *kinds: str) -> Iterator[Node]:
    if node.type in kinds:
        yield node
    for child in node.children:
        yield from within(child, *kinds)


def signature(source: Source, node: Node) -> Signature:
    parameters: Signature = []
    for number, child in enumerate(node.children):
        if child.type == "parameter":
            label = child.child_by_field_name("external_name") or child.child_by_field_name("name")
            default = number + 1 < len(node.children) and node.children[number + 1].type == "="
            parameters.append((source.of(label), default))
    return parameters


def case(source: Source, node: Node) -> Signature:
    data = node.child_by_field_name("data_contents")
    names = [child for child in data.children if child.type == "simple_identifier"] if data else []
    return [(source.of(name), False) for name in names]


class Package:
    """What is declared, by name."""

    def __init__(self) -> None:
        self.calls: dict[str, list[Signature]] = {}
        self.names: set[str] = set()
        self.closures: set[str] = set()

    def read(self, source: Source, owner: str, node: Node) -> None:
        for child in node.children:
            kind, name = child.type, child.child_by_field_name("name")
            inner = owner
            if kind in ("class_declaration", "protocol_declaration"):
                inner = source.of(name).split(".")[-1]
                self.names.add(inner)
                if any(source.of(word) == "struct" for word in child.children):
                    self.memberwise(source, inner, child)
            elif kind in ("function_declaration", "protocol_function_declaration"):
                self.declare(source.of(name), signature(source, child))
            elif kind == "init_declaration":
                self.declare(owner, signature(source, child))
            elif kind == "enum_entry":
                self.declare(source.of(name), case(source, child))
            elif kind in ("property_declaration", "protocol_property_declaration", "parameter", "lambda_parameter"):
                bound = [source.of(bound) for bound in within(child, "simple_identifier")]
                self.names.update(bound)
                # What holds a closure is called like a function.
                if any(within(child, "function_type")):
                    self.closures.update(bound)
            elif kind in ("pattern", "type_parameter", "typealias_declaration"):
                self.names.update(source.of(bound) for bound in within(child, "simple_identifier", "type_identifier"))
            self.read(source, inner, child)

    def memberwise(self, source: Source, name: str, node: Node) -> None:
        """The initialiser that a structure has by itself."""
        body = node.child_by_field_name("body")
        fields: Signature = []
        for child in body.children if body else []:
            if child.type == "property_declaration" and not child.child_by_field_name("computed_value"):
                is_variable = source.of(child).startswith("var")
                fields.append((source.of(child.child_by_field_name("name")), is_variable))
        self.declare(name, fields)

    def declare(self, name: str, parameters: Signature) -> None:
        self.names.add(name)
        self.calls.setdefault(name, []).append(parameters)


def fits(given: list[str], has_closure: bool, parameters: Signature) -> bool:
    rest = list(given)
    for label, may_be_left_out in parameters:
        if rest and rest[0] == label:
            rest.pop(0)
        elif not rest and has_closure:
            has_closure = False
        elif not may_be_left_out:
            return False
    return not rest and not has_closure


def wrong_calls(source: Source, package: Package) -> Iterator[str]:
    for call in within(source.root, "call_expression"):
        callee, suffix = call.children[0], call.children[-1]
        names = list(within(callee, "simple_identifier")) if callee.type in ("navigation_expression", "prefix_expression") else [callee]
        name = source.of(names[-1]) if names else ""
        if name not in package.calls or name in FOREIGN | package.closures or suffix.type != "call_suffix":
            continue
        # An element of a list.
        if source.of(suffix).startswith("["):
            continue
        arguments = [child for child in suffix.children if child.type == "value_arguments"]
        given = []
        for argument in (child for part in arguments for child in part.children if child.type == "value_argument"):
            label = argument.child_by_field_name("name")
            given.append(source.of(label) if label else "_")
        has_closure = any(child.type == "lambda_literal" for child in suffix.children)
        if not any(fits(given, has_closure, parameters) for parameters in package.calls[name]):
            yield f"{source.where(call)}: {name}({', '.join(given)}) is not among {package.calls[name]}"


def unknown_names(source: Source, package: Package) -> Iterator[str]:
    for used in within(source.root, "simple_identifier", "type_identifier"):
        name = source.of(used)
        if name not in package.names and name not in FOREIGN and not name.startswith("$"):
            yield f"{source.where(used)}: {name} is not declared"


def main() -> int:
    parser = Parser(Language(tree_sitter_swift.language()))
    sources = [Source(Path(path), parser) for path in sys.argv[1:]]
    package, wrong = Package(), []
    for source in sources:
        wrong += [f"{source.where(node)}: does not parse" for node in within(source.root, "ERROR")]
        package.read(source, "", source.root)
    for source in sources[1:]:
        wrong += [*wrong_calls(source, package), *unknown_names(source, package)]
    print("\n".join(wrong[:40]))
    return 1 if wrong else 0


sys.exit(main())
