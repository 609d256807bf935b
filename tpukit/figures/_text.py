"""Numbers and names as a reader wants them in a sentence."""

import html
import math

_LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
_WHOLE_PERCENT = 10


def escaped(name: object) -> str:
    """Return a name that Plotly shows as it is: its labels take tags and entities.

    >>> escaped("a<b")
    'a&lt;b'
    """
    return html.escape(str(name), quote=False)


def number(x: float) -> str:
    """Return `x` with three significant digits, never in powers of ten.

    >>> number(0.054321), number(52.0), number(1234.5), number(0.9999)
    ('0.0543', '52', '1,234', '1')
    """
    if x == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(float(f"{x:.3g}")))))
    text = f"{x:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ms(seconds: float) -> str:
    """Return seconds as milliseconds.

    >>> ms(0.00055)
    '0.55 ms'
    """
    return f"{number(seconds * 1e3)} ms"


def percent(share: float) -> str:
    """Return the size of a relative change.

    >>> percent(0.1234), percent(-0.004), percent(2.0)
    ('12 %', '0.4 %', '200 %')
    """
    size = abs(share) * 100
    return f"{size:,.0f} %" if size >= _WHOLE_PERCENT else f"{number(float(f'{size:.2g}'))} %"


def count(n: int, noun: str) -> str:
    """Return a number of things.

    >>> count(1, "thread"), count(1200, "query"), count(2, "run")
    ('1 thread', '1,200 queries', '2 runs')
    """
    if n == 1:
        return f"1 {noun}"
    return f"{n:,} {noun[:-1]}ies" if noun.endswith("y") else f"{n:,} {noun}s"


def large(n: float) -> str:
    """Return a large number in words.

    >>> large(7_489_664), large(1_000), large(12)
    ('7.49 million', '1 thousand', '12')
    """
    for size, name in _LARGE:
        # 999,950 is 1 million to three digits, not 1,000 thousand
        if float(f"{n:.3g}") >= size:
            return f"{number(n / size)} {name}"
    return number(n)


def sentence(*parts: str) -> str:
    """Return the parts that say something, as one text.

    >>> sentence("All on cpu.", "", "Dots are maxima.")
    'All on cpu. Dots are maxima.'
    """
    return " ".join(part for part in parts if part)
