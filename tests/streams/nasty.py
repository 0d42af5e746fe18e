"""Answers as servers really send them, and what must be understood: the table behind ``test_assemble``."""

from __future__ import annotations

from streams.channels import CHANNELS
from streams.endings import ENDINGS
from streams.errors import ERRORS
from streams.framing import FRAMING
from streams.tools import TOOLS
from streams.usage import USAGE
from streams.whole import WHOLE

CASES = FRAMING + ENDINGS + CHANNELS + USAGE + TOOLS + ERRORS + WHOLE
