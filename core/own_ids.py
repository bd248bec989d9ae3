"""What a customer says about its own ids: words that name nobody, and the country of its telephone numbers.

No Django here: the edge reads it too.
"""

import phonenumbers

from core.ids.nobody import own_word

MOST_WORDS = 1_000
LONGEST_WORD = 256


def word_fault(given: object) -> str:
    """Returns why this cannot be the customer's own words for nobody; empty where it can."""
    if not isinstance(given, list) or len(given) > MOST_WORDS:
        return f"must be a list of at most {MOST_WORDS} words"
    if not all(isinstance(word, str) and own_word(word) and len(word) <= LONGEST_WORD for word in given):
        return f"each word is a text of 1 to {LONGEST_WORD} characters"
    return ""


def words_in(stored: object) -> frozenset[str]:
    """Returns the words in the form in which ids are compared with them; what cannot be a word is passed over."""
    given = stored if isinstance(stored, list) else []
    return frozenset(own_word(word) for word in given if isinstance(word, str) and own_word(word))


def region_fault(given: str) -> str:
    """Returns why this is no country of telephone numbers; empty where it is one, or none is given."""
    known = not given or given in phonenumbers.SUPPORTED_REGIONS
    return "" if known else "must be a country as ISO 3166 writes it in two capital letters, such as DE"
