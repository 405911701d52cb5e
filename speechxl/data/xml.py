"""XML of strangers: nothing is fetched, no entity is defined, no tree is too deep."""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from speechxl.errors import InputError

_DEPTH = 100
"""Of elements within elements; annotations have five."""


def read_xml(path: Path) -> Element:
    """Root of a document, with its comments.

    Args:
        path: File in any encoding that it names and expat knows.

    Raises:
        InputError: If it is not XML, declares a document type or entities, or is nested too deeply.
    """
    builder = TreeBuilder(insert_comments=True)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def refuse(*_: object) -> None:
        raise InputError(
            f"{path}:{parser.CurrentLineNumber}: declares a document type (<!DOCTYPE, <!ENTITY), which files of annotations "
            "do not need and which can make a parser read other files or fill the memory; delete the declaration."
        )

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            raise InputError(f"{path}:{parser.CurrentLineNumber}: more than {_DEPTH} elements stand in each other.")
        builder.start(_name(name), {_name(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_name(name))

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.CommentHandler = builder.data, builder.comment
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, an XML file was expected.") from None
    except expat.ExpatError as error:
        raise InputError(f"{path}:{error.lineno}: cannot be read as XML ({expat.ErrorString(error.code)}).") from None
    except (LookupError, ValueError, AssertionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as XML ({error}).") from None


def _name(name: str) -> str:
    """As ElementTree has it: the namespace in braces."""
    return f"{{{name}" if "}" in name else name
