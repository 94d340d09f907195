"""A value as one line of JSON."""

import json
import re
from typing import Any

__all__ = ["json_line"]

# What some readers of lines take for the end of one, or UTF-8 has no bytes for: halves of surrogate pairs.
ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def json_line(value: Any) -> str:
    """A value of JSON's types on one line, whatever takes it apart into lines; other letters than ASCII as they are."""
    line = json.dumps(value, ensure_ascii=False)
    return ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
