"""The grammar of the demo corpus with the fifteen types of MultiNERD.

As in MultiNERD, many names are ordinary lower-case words: animals, plants, diseases, food. The same words
also occur outside entities or with another type: orange, mercury, jaguar, rose.
"""

from __future__ import annotations

from hpo.corpora.demo.lexicon import COMPOSED as NAME_PARTS
from hpo.corpora.demo.lexicon import NAMES as LISTED_NAMES
from hpo.corpora.demo.lexicon import WORDS as ORDINARY_WORDS

ENTITY_TYPES = (
    "PER", "ORG", "LOC", "ANIM", "BIO", "CEL", "DIS", "EVE", "FOOD", "INST", "MEDIA", "MYTH", "PLANT", "TIME",
    "VEHI",
)  # fmt: skip

WORDS = ORDINARY_WORDS | {
    "noun": (
        "anchor bank bell boat bridge cabin castle chair church deal field ford gate grant hill kitchen lamp "
        "letter map mark mirror page pitch pond ring river road school shell shop star station street summer "
        "table target theatre train valley village window wood"
    ),
    "mass": "art bath charity china fortune grace hope justice mercury music orange paint polish rain rose",
    "colour": "orange silver rose olive grey red white",
    "scientist": "astronomers biologists chemists doctors historians researchers students zoologists",
    "century": "twelfth fourteenth sixteenth eighteenth nineteenth",
}

NAMES = LISTED_NAMES | {
    "animal": "bear bull cat dog eagle goat horse jaguar lion mare otter owl salmon tiger turkey turtle wolf",
    "animal_kind": "brown grey red mountain river snow tree water",
    "bacterium": "Salmonella Listeria Legionella Yersinia Candida Giardia",
    "species": "aurea alba minor communis vulgaris robusta",
    "planet": "Mercury Venus Mars Jupiter Saturn Neptune Ceres Vega Sirius",
    "disease": "malaria cholera measles cancer diabetes asthma influenza rabies scurvy gout",
    "feast": "Christmas Easter Ramadan Midsummer Epiphany",
    "dish": "apple bread cheese coffee honey olive orange rice salt sugar tea turkey wine",
    "dish_kind": "apple cheese fish honey lemon olive rice",
    "dish_form": "bread cake oil pie salad soup",
    "tool": "microscope telescope barometer violin piano rifle lathe compass thermometer clarinet",
    "mythical": "Zeus Odin Thor Athena Apollo Mercury Venus Neptune Phoenix Atlas Loki",
    "creature": "phoenix unicorn dragon mermaid centaur",
    "plant": "oak olive rose ivy lily fern maple apple orange orchid pine willow",
    "plant_kind": "red white wild marsh mountain water",
    "age": "Bronze Iron Stone Ice Viking",
    "period": "Cretaceous Jurassic Devonian Renaissance Baroque Enlightenment",
    "vehicle": "Jaguar Ford Apollo Mercury Shuttle Galaxy Titanic Concorde",
    "paper": "Gazette Herald Mirror Times Star",
}

COMPOSED = NAME_PARTS | {
    "microbe": (
        "Acino Azo Clostri Cyano Entero Halo Lacto Micro Myco Nitro Pseudo Rhizo Staphylo Strepto",
        "bacter coccus monas bacillus virus spora",
    ),
    "illness": (
        "arthr bronch cardi cephal derm encephal gastr hepat lymph nephr neur oste rhin vascul",
        "itis osis algia oma opathy",
    ),
    "star_name": ("Alph Bel Cor Dra Ist Kel Mer Ny Or Pro Tar Xan", "ara eus ion ath ix ella"),
    "craft": ("Aero Astro Cargo Hydro Jet Rail Sky Sub Terra Velo", "liner craft star ship flyer"),
}

SENTENCES = {
    "sentence": """
        7 {clause} .
        3 {opening} , {clause} .
        4 {clause} {tail} .
        3 {opening} , {clause} {tail} .
        3 {clause} , {link} {clause} .
        2 {opening} , {clause} , {link} {clause} {tail} .
        1 {fragment}
    """,
    "fragment": """
        2 Where is {anything} ?
        2 Not {anything} .
        1 Will {PER} {base_verb} {anything} ?
        1 {mass} or {mass} ?
        1 {LOC} , {month} {year} .
    """,
    "opening": """
        2 in {TIME}
        2 in {year}
        2 in {LOC}
        1 during {EVE}
        1 after {EVE}
        1 according to {source}
        1 like {MYTH}
    """,
    "tail": """
        2 in {LOC}
        1 near {LOC}
        1 in {month}
        1 during {TIME}
        1 before {EVE}
        1 for {number} years
        1 {adverb}
        1 with {tool_phrase}
        1 at {ORG}
        1 because of {DIS}
    """,
    "link": "2 and\n2 but\n1 while\n1 because\n1 although",
    "clause": """
        4 {per_clause}
        3 {loc_clause}
        3 {org_clause}
        2 {anim_clause}
        2 {bio_clause}
        2 {cel_clause}
        2 {dis_clause}
        2 {eve_clause}
        2 {food_clause}
        2 {inst_clause}
        2 {media_clause}
        2 {myth_clause}
        2 {plant_clause}
        2 {time_clause}
        2 {vehi_clause}
        20 {plain_clause}
    """,
    "per_clause": """
        2 {PER} was born in {LOC}
        1 {PER} married {PER}
        1 the {job} {PER} worked for {ORG}
        1 {PER} , a {job} , {plain_verb} the {noun}
        1 {pronoun} {named_verb} {PER}
    """,
    "loc_clause": """
        2 {pronoun} moved to {LOC}
        1 the road from {LOC} to {LOC} was closed
        1 {LOC} lies {number} miles from {LOC}
    """,
    "org_clause": """
        2 {ORG} announced {number} new jobs
        1 shares in {ORG} fell by {number} percent
        1 {ORG} was founded in {LOC} by {PER}
    """,
    "anim_clause": """
        2 the {ANIM} hunts at night
        1 {pronoun} fed the {ANIM} and the {ANIM}
        1 a wild {ANIM} slept near the {noun}
        1 {scientist} {named_verb} the {ANIM} in {LOC}
    """,
    "bio_clause": """
        2 {BIO} grows in warm water
        1 {scientist} found {BIO} in the {noun}
        1 {DIS} is caused by {BIO}
    """,
    "cel_clause": """
        2 the {INST} was turned to {CEL}
        1 {CEL} is {number} light years from {CEL}
        1 {scientist} discovered {CEL} in {year}
        1 the surface of {CEL} is {adjective}
    """,
    "dis_clause": """
        2 {PER} died of {DIS}
        1 patients with {DIS} {modal} need rest
        1 {DIS} spread in {LOC}
        1 {pronoun} suffered from {DIS} and {DIS}
    """,
    "eve_clause": """
        2 {pronoun} met during {EVE}
        1 {EVE} was held in {LOC}
        1 {PER} fought in {EVE}
    """,
    "food_clause": """
        2 {pronoun} ate {FOOD} and {FOOD}
        1 {FOOD} is served with {FOOD} in {LOC}
        1 {the_job} cooked {FOOD}
    """,
    "inst_clause": """
        2 {PER} played the {INST}
        1 the {INST} was invented in {year}
        1 {scientist} looked through a {INST}
    """,
    "media_clause": """
        2 {pronoun} read {MEDIA} {adverb}
        1 {PER} directed {MEDIA} in {year}
        1 {MEDIA} was shown in {LOC}
        1 critics praised {MEDIA}
    """,
    "myth_clause": """
        2 the temple of {MYTH} stood in {LOC}
        1 {pronoun} prayed to {MYTH}
        1 {MYTH} stole the {noun} from {MYTH}
        1 the legend tells of {MYTH}
    """,
    "plant_clause": """
        2 the {PLANT} flowers in {month}
        1 {pronoun} planted {PLANT} near the {noun}
        1 leaves of the {PLANT} are {adjective}
        1 the {ANIM} feeds on the {PLANT}
    """,
    "time_clause": """
        2 the {noun} was built in {TIME}
        1 {scientist} study {TIME}
        1 {TIME} ended {number} years ago
    """,
    "vehi_clause": """
        2 {pronoun} drove a {VEHI}
        1 the {VEHI} left {LOC}
        1 {ORG} launched the {VEHI}
    """,
    "plain_clause": """
        2 the {adjective} {noun} was {adjective}
        2 {people} {plain_verb} the {noun}
        1 {the_job} {modal} {base_verb} the {noun}
        1 {mass} was {adjective} and {adjective}
        1 {pronoun} liked {mass} and {mass}
        1 the {noun} was painted {colour} and {colour}
    """,
    "pronoun": "2 he\n2 she\n2 they\n1 we\n1 the {job}\n1 {people}",
    "the_job": "3 the {job}\n1 a {adjective} {job}\n1 {PER}",
    "tool_phrase": "2 a {INST}\n1 a {noun}",
    "source": "2 {PER}\n2 {ORG}\n1 {MEDIA}\n1 {people}",
    "anything": """
        4 {PER}
        3 {LOC}
        1 {ORG}
        1 the {ANIM}
        1 {CEL}
        1 {EVE}
        1 {FOOD}
        1 {MEDIA}
        1 {MYTH}
        1 the {VEHI}
        3 {mass}
        3 the {noun}
    """,
}

ENTITIES = {
    "PER": """
        4 {given_name}
        4 {given_name} {family_name}
        2 {family_name}
        1 {initial} {family_name}
    """,
    "given_name": "4 {given}\n2 {given_listed}\n2 {given_ambiguous}",
    "family_name": "3 {family}\n2 {family_ambiguous}",
    "initial": "1 A.\n1 E.\n1 J.\n1 M.\n1 S.",
    "LOC": """
        4 {town}
        3 {land}
        2 {place_ambiguous}
        1 Lake {place_ambiguous}
        1 Mount {family_name}
    """,
    "ORG": """
        3 {company}
        2 {inst_ambiguous}
        1 University of {town}
        1 Bank of {land}
        1 {town} United
    """,
    "ANIM": "4 {animal}\n1 {animal_kind} {animal}",
    "BIO": "4 {microbe}\n1 {microbe} {species}\n1 {bacterium}",
    "CEL": "3 {planet}\n3 {star_name}\n1 {star_name} {figure}\n1 Great {star_name} Nebula",
    "DIS": "3 {disease}\n4 {illness}\n1 acute {illness}\n1 {family} disease",
    "EVE": "2 {feast}\n2 Battle of {town}\n1 {town} Festival\n1 World Cup\n1 {land} War",
    "FOOD": "4 {dish}\n2 {dish_kind} {dish_form}",
    "INST": "4 {tool}\n1 {family} {tool}",
    "MEDIA": """
        2 The {Adjective} {Noun}
        1 The {Noun} and the {Noun}
        1 The {town} {paper}
        1 Songs of {Mass}
    """,
    "MYTH": "3 {mythical}\n3 {deity}\n1 the {creature}",
    "PLANT": "4 {plant}\n1 {plant_kind} {plant}\n1 {given} {plant}",
    "TIME": "2 the {age} Age\n2 the {period}\n2 the {century} century\n1 the Middle Ages",
    "VEHI": "3 {vehicle}\n3 {craft}\n2 {craft} {figure}\n1 {company} {vehicle}",
}
