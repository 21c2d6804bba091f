"""Italian words for whole numbers."""

_SMALL = """
zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici diciassette
diciotto diciannove
"""
_TENS = "venti trenta quaranta cinquanta sessanta settanta ottanta novanta"
LARGEST = 999_999
"""Up to here numbers are spelt."""


def spell_italian(number: int) -> str:
    """Spell a whole number as one word, as it is said: ``ventuno``, ``centotto``, ``milleduecentotre``.

    Args:
        number: 0 to ``LARGEST``.

    Returns:
        The word. A final ``tre`` of a longer number bears its accent: ``ventitré``.

    Raises:
        ValueError: for any other number.
    """
    if not 0 <= number <= LARGEST:
        raise ValueError(f"numbers from 0 to {LARGEST} are spelt, not {number}")
    word = _spell(number)
    return word[:-1] + "é" if word.endswith("tre") and number > 3 else word


def _spell(number: int) -> str:
    if number < 20:
        return _SMALL.split()[number]
    if number < 100:
        tens, ones = _TENS.split()[number // 10 - 2], number % 10
        return (tens[:-1] if ones in (1, 8) else tens) + (_spell(ones) if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        hundred = "cent" if rest == 8 or rest // 10 == 8 else "cento"
        return ("" if hundreds == 1 else _spell(hundreds)) + hundred + (_spell(rest) if rest else "")
    thousands, rest = divmod(number, 1000)
    return ("mille" if thousands == 1 else _spell(thousands) + "mila") + (_spell(rest) if rest else "")
