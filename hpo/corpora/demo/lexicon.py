"""The words of the demo corpus: ordinary words, listed names, and the parts of composed names.

Every value is a string of words separated by spaces. Names are capitalized, ordinary words are lower-case;
a word that occurs as both is ambiguous, see `ambiguous_words`.
"""

from __future__ import annotations

WORDS = {
    "noun": (
        "anchor apple bank bell bill boat book bridge brook cabin candle castle chair church dawn deal field "
        "ford gap garden gate grant hill jaguar kitchen lamp letter map mark mercury mirror olive orange "
        "orchard page pearl penny phoenix pitch pond reading ring river road rose school shell shop shuttle "
        "star station stone street summer table target theatre train turkey valley village window wood"
    ),
    "job": (
        "artist baker bishop captain chemist cook dentist doctor driver editor farmer fisher gardener judge "
        "king lawyer mayor miller nurse page pilot poet potter sailor smith teacher"
    ),
    "people": (
        "actors bakers children critics doctors farmers guests lawyers neighbours officials parents "
        "reporters sailors soldiers students teachers tourists voters"
    ),
    "mass": (
        "apple art bath bread charity cheese china coffee dawn fortune grace hope joy justice music nice "
        "olive orange paint peace polish rain rose silver stone sugar thunder turkey wine wood"
    ),
    "adjective": (
        "ancient angry brown clever cold dark empty famous frank golden grand grey heavy late long lost "
        "lucky modern narrow nice old orange polish quiet red silent silver small strange white young"
    ),
    "beast": "bear bull cat cow dog goat horse jaguar lion mare owl parrot tiger turkey wolf",
    "title": "Mr Mrs Dr Professor Captain Judge",
    "month": "January March April June August October December",
    "weekday": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "number": "two three four five seven nine ten twelve thirty 14 18 40 65 120",
    "figure": "14 18 40 65 90 120",
    "year": "1789 1848 1905 1923 1945 1968 1989 2003 2011",
    "modal": "will will may may can must should could",
    "named_verb": "found saw heard remembered mentioned noticed praised feared",
    "plain_verb": "carried opened repaired painted cleaned sold moved dropped marked",
    "base_verb": "bill chase cook find follow grant hunt mark miss pat rob see sue visit watch",
    "say_verb": "said claimed thought explained argued believed hoped",
    "adverb": "again early later often quietly slowly soon together twice yesterday",
}
"""Ordinary words by class."""

NAMES = {
    "given_listed": "Anna Peter Maria Thomas Elena David Karin Joseph Helen Simon Laura Martin Samuel Ruth",
    "given_ambiguous": (
        "May Rose Will Bill Mark Grace Hope Dawn Frank Pat Drew Art Rob Sue Joy Ivy Olive Penny "
        "Jordan Victoria"
    ),
    "family_ambiguous": (
        "Baker Cook Hill Stone King Young Brown White Fisher Miller Wood Banks Page Potter Smith "
        "Washington Ford"
    ),
    "place_ambiguous": (
        "Reading Bath Nice Turkey China Jordan Washington Victoria Phoenix Hope Orange Mercury Oxford Deal"
    ),
    "inst_ambiguous": "Apple Shell Gap Target Orange Jaguar Ford Washington Atlas Charity Pitch Reading",
    "product_ambiguous": "Jaguar Ford Apollo Mercury Shuttle Galaxy Pearl Polish",
    "animal_ambiguous": "Rose Tiger Lucky Penny Silver Star Thunder Button",
    "animal_listed": "Rex Bella Rufus Fido Daisy Bruno",
    "myth_listed": "Zeus Odin Thor Athena Apollo Venus Neptune Hera Loki Atlas",
    "myth_ambiguous": "Mercury Dawn Fortune Justice Phoenix",
    "event_listed": "Christmas Easter Ramadan Midsummer Epiphany",
}
"""Complete names by class; all splits use all of them."""

COMPOSED = {
    "given": (
        "Al Ber Dor El Fen Gil Is Jor Kat Mar Nel Ros Sel Val",
        "ena ric len win ina ette mund old wen",
    ),
    "family": (
        "Ash Berg Carl Dal East Fair Gran Hart Kirk Lind Nor Roth Stan Thorn",
        "son gren man well ton ley berg strom",
    ),
    "town": (
        "Al Ash Bel Car Dun East Fair Glen Hart Kirk Lang Nor Stan Thorn West Wil",
        "bury wick ham ton ley port mouth stad",
    ),
    "land": (
        "Bar Cal Dor Est Gal Hel Kar Lor Mor Ost Per Sar Tal Ur Val Zan",
        "ia onia land ovia istan mark",
    ),
    "company": (
        "Acc Bio Cor Data Ever Fin Gen Hyd Inter Lum Nor Omni Pan Ster Tele Vol",
        "ex tron co soft tec ium el",
    ),
    "brand": ("Ax Cel Dy Flex Gli Kin Lum Mox Nu Pul Quo Ro Syn Tri Ve Zy", "ra tix on ola pad ista lo"),
    "pet": ("Bo Cin Doo Fluff Hob Jin Muf Nib Pip Scam Tuff Wag", "by kins ster bles fy o"),
    "deity": ("Aru Bel Cer Dion Eri Hal Isk Kro Mel Nyx Oth Pha Tha Ven", "neth us or ia dra eus"),
}
"""Stems and endings of names by class; families and towns share some of both."""


def ambiguous_words() -> tuple[str, ...]:
    """Return the words, lower-cased and sorted, that are a name if capitalized and ordinary otherwise."""
    names = {word.lower() for words in NAMES.values() for word in words.split()}
    plain = {word for words in WORDS.values() for word in words.split()}
    return tuple(sorted(names & plain))
