"""The sentence patterns of the demo corpus: a weighted context-free grammar.

Each line of a rule has a weight and one expansion of the symbol: tokens, and symbols in braces. Everything
that a symbol named like one of the `ENTITY_TYPES` expands to is one entity, so that the town in
"University of {town}" is part of an institution. Symbols without a rule are word classes of the lexicon.
"""

from __future__ import annotations

ENTITY_TYPES = ("person", "place", "inst", "work", "product", "animal", "event", "myth", "other")
"""The nine manual name types of SUC 3.0."""

SENTENCES = {
    "sentence": """
        7 {clause} .
        3 {opening} , {clause} .
        4 {clause} {tail} .
        3 {opening} , {clause} {tail} .
        3 {clause} , {link} {clause} .
        2 {opening} , {clause} , {link} {clause} {tail} .
        1 {opening} , {clause} {tail} , {link} {clause} , {link} {clause} {tail} .
        2 {fragment}
        1 {speech}
    """,
    "fragment": """
        2 Call {someone} !
        2 Not {anything} .
        1 {someone} {modal} .
        1 {person} and {person} !
        2 Where is {anything} ?
        1 Back to {place} .
        1 Will {person} {base_verb} {anything} ?
        1 May {person} {base_verb} {anything} ?
        1 {base_verb} the {noun} !
        1 Reading {anything} .
        1 {mass} or {mass} ?
        1 {place} , {month} {year} .
    """,
    "speech": """
        2 " {clause} , " {say_verb} {someone} .
        1 " {fragment} " {say_verb} {the_job} .
        1 {person} : " {clause} . "
    """,
    "opening": """
        2 in {year}
        2 in {place}
        1 on {weekday}
        1 last {month}
        1 during {event}
        1 after {event}
        1 at the {noun}
        1 according to {source}
        1 with {mass} and {mass}
        1 under {other}
        1 like the god {myth}
    """,
    "tail": """
        2 in {place}
        2 with {anything}
        1 near {somewhere}
        1 in {month}
        1 on {weekday}
        1 before {event}
        1 because of {anything}
        1 for {number} years
        1 {adverb}
        1 at {inst}
        1 without {mass}
        1 from the {adjective} {noun}
        1 between {place} and {place}
    """,
    "link": "2 and\n2 but\n1 while\n1 because\n1 although",
    "clause": """
        6 {person_clause}
        3 {place_clause}
        3 {inst_clause}
        2 {work_clause}
        2 {product_clause}
        2 {animal_clause}
        2 {event_clause}
        2 {myth_clause}
        2 {other_clause}
        5 {open_clause}
        7 {plain_clause}
    """,
    "person_clause": """
        2 {person} {say_verb} that {short_clause}
        2 {person} , {figure} , lives {in_place}
        1 {title} {person} {plain_verb} the {noun}
        1 the {job} {person} phoned {person}
        1 {person} smiled at the {job}
        1 {pronoun} married {person}
        1 a letter came from {person}
        1 {person} , a {job} , {plain_verb} {the_noun}
    """,
    "place_clause": """
        2 {pronoun} moved to {place}
        1 the road to {place} was closed
        1 {person} was born in {place}
        1 the {noun} stands in {place} , {number} miles from {place}
        1 the mayor of {place} met {the_job}
        1 flights from {place} to {place} {modal} start in {month}
    """,
    "inst_clause": """
        2 {inst} announced {number} new jobs
        1 {pronoun} worked for {inst}
        1 shares in {inst} fell by {number} percent
        1 {inst} hired {the_job}
        1 {person} studied at {inst}
        1 a spokesman for {inst} {say_verb} that {short_clause}
    """,
    "work_clause": """
        2 {pronoun} read {work} {adverb}
        1 the film {work} was shown in {place}
        1 {person} wrote {work} in {year}
        1 critics praised {work}
        1 {the_job} sang " {work} "
    """,
    "product_clause": """
        2 {pronoun} drove a {product}
        1 {pronoun} bought the new {product}
        1 the {product} costs {number} dollars
        1 {inst} launched the {product}
        1 {the_job} repaired a {adjective} {product}
    """,
    "animal_clause": """
        2 the {beast} {animal} slept in the {noun}
        1 {animal} barked at {the_job}
        1 {pronoun} fed {animal} and the {beast}
        1 {animal} , an old {beast} , ate the {noun}
    """,
    "event_clause": """
        2 {pronoun} met during {event}
        1 {event} was held in {place}
        1 thousands came to {event}
        1 {person} won {event}
    """,
    "myth_clause": """
        2 the temple of {myth} stood in {place}
        1 {pronoun} prayed to {myth}
        1 the god {myth} stole the {noun}
        1 {myth} turned {the_job} into a {beast}
    """,
    "other_clause": """
        2 {person} was awarded {other}
        1 {pronoun} signed {other}
        1 {other} was passed in {year}
        1 {the_job} spoke about {other}
    """,
    "open_clause": """
        3 {someone} {named_verb} {anything}
        2 {pronoun} {named_verb} {anything}
        2 {anything} seemed {adjective}
        2 {pronoun} {modal} {base_verb} {anything}
        1 {someone} {modal} {base_verb} {the_noun}
        1 {anything} and {anything} came {adverb}
        1 nobody spoke about {anything}
        1 {the_job} and {someone} came from {somewhere}
    """,
    "plain_clause": """
        2 the {adjective} {noun} was {adjective}
        2 {people} {plain_verb} the {noun}
        1 {pronoun} {plain_verb} the {noun} near the {noun}
        1 {the_job} {modal} {base_verb} the {noun}
        1 {mass} was {adjective} and {adjective}
        1 the {beast} {modal} {base_verb} a {noun}
        1 {pronoun} liked {mass} and {mass}
        1 {people} {say_verb} that {short_clause}
        1 a {noun} and {number} {people} stood in the {noun}
    """,
    "short_clause": """
        2 {anything} {modal} change
        1 {pronoun} {modal} {base_verb} {anything}
        1 {pronoun} {plain_verb} the {noun}
        1 {mass} was {adjective}
    """,
    "pronoun": "2 he\n2 she\n2 they\n1 we\n1 I\n1 the {job}\n1 {people}",
    "the_job": "3 the {job}\n1 a {adjective} {job}\n1 {person}",
    "the_noun": "3 the {noun}\n1 a {adjective} {noun}\n1 {mass}",
    "in_place": "3 in {place}\n1 near {place}\n1 in a {noun}\n1 with {animal}",
    "source": "2 {person}\n2 {inst}\n1 {people}\n1 {work}",
    "someone": "5 {person}\n1 {inst}\n2 the {job}\n2 {people}",
    "somewhere": "3 {place}\n1 {inst}\n1 the {noun}",
    "anything": """
        5 {person}
        3 {place}
        1 {inst}
        1 the film {work}
        1 the new {product}
        1 the {beast} {animal}
        1 {event}
        1 the god {myth}
        1 {other}
        4 {mass}
        3 the {noun}
        2 {people}
    """,
}
"""The rules for sentences."""

ENTITIES = {
    "person": """
        4 {given_name}
        4 {given_name} {family_name}
        2 {family_name}
        1 {initial} {family_name}
        1 {given_name} van {family_name}
    """,
    "given_name": "4 {given}\n2 {given_listed}\n3 {given_ambiguous}",
    "family_name": "3 {family}\n2 {family_ambiguous}",
    "initial": "1 A.\n1 E.\n1 J.\n1 M.\n1 S.",
    "place": """
        4 {town}
        3 {land}
        3 {place_ambiguous}
        1 Lake {place_ambiguous}
        1 Mount {family_name}
        1 New {town}
        1 {family_name} Street
    """,
    "inst": """
        3 {company}
        3 {inst_ambiguous}
        1 University of {town_name}
        1 Bank of {town_name}
        1 {town_name} University
        1 {town_name} United
        1 {family_name} & Sons
        1 Ministry of {ministry}
    """,
    "town_name": "2 {town}\n1 {land}\n1 {place_ambiguous}",
    "ministry": "1 Justice\n1 Health\n1 Trade\n1 Peace",
    "work": """
        2 The {Adjective} {Noun}
        1 The {Noun} and the {Noun}
        1 {given_name} of the {Noun}
        1 the {town_name} Gazette
        1 Songs of {Mass}
        1 {Adjective} {Noun}
    """,
    "product": """
        3 {brand}
        3 {product_ambiguous}
        2 {brand} {figure}
        1 {company} {product_ambiguous}
    """,
    "animal": "3 {pet}\n2 {animal_listed}\n3 {animal_ambiguous}",
    "event": """
        2 {event_listed}
        1 Battle of {town_name}
        1 {town_name} Festival
        1 World Cup
        1 May Day
        1 {town_name} Open
    """,
    "myth": "3 {myth_listed}\n3 {deity}\n2 {myth_ambiguous}",
    "other": """
        1 {family_name} Prize
        1 Treaty of {town_name}
        1 {Noun} Act
        1 {Noun} Order
        1 {family_name} Line
    """,
}
"""The rules for names. A capitalized symbol draws a word of the lower-case class and capitalizes it."""
