"""Writes sentence pairs by rule: what says the same in other words, and what differs in one thing.

A fact is a frame with its slots filled. Two of a frame's wordings of the same fact are a paraphrase. What denies it, swaps who
does it to whom, has another number, name or date, or says something else on its topic or on another, is none.
"""

import random
import re
from pathlib import Path
from typing import Collection, Dict, Iterator, List, NamedTuple, Sequence


class Pair(NamedTuple):
    kind: str
    one: str
    other: str
    paraphrase: bool


Value = List[str]  # what a slot is filled with: a word, and others for the same


def _slot(name: str) -> str:
    """Where the words of a slot stand: a second one has those of the first."""
    return "a" if name == "b" else name.rstrip("2")


def _likeness(one: str, other: str) -> float:
    """The share of words that two wordings have in common."""
    words, more = set(one.split()), set(other.split())
    return len(words & more) / len(words | more)


def _forms(text: str) -> List[Value]:
    """`a = b, c` is two values: the first is said as a or as b."""
    return [[" ".join(form.split()) for form in value.split("=")] for value in text.split(",")]


ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBERS = [[word, str(number)] for number, word in enumerate(ONES, 1) if number > 1]
NUMBERS += [[word, str(10 * number)] for number, word in enumerate(TENS, 2)]
NUMBERS += [[str(number)] for number in (24, 31, 48, 65, 72, 85, 110, 125, 150, 210, 340, 480, 560, 730, 915)]
NUMBERS += [[f"{word} {name}", f"{number}{zeros}"] for number, word in enumerate(ONES[1:9], 2) for name, zeros in
            (("hundred", "00"), ("thousand", ",000"), ("million", " million"))]  # fmt: skip

SLOTS: Dict[str, List[Value]] = {
    # who
    "a": _forms(
        """Ingrid, Rashid, Beatriz, Oleg, Mei, Tobias, Farida, Henrik, Chloe, Kofi, Mrs Novak, Mr Tanaka, Dr Weiss, Professor
        Almeida, Lucas, Sofia, the mayor, the nurse, the baker, the driver, the guard = the watchman, the plumber, the
        coach = the trainer, the painter = the artist, the gardener, the lawyer = the attorney, the singer, the cook = the chef,
        the captain, the clerk, the teacher = the schoolteacher, the butcher, the reporter = the journalist, the queen,
        the tailor, the student, the boss = the manager, the customer = the client, the owner, the visitor = the guest, the
        firefighter, the farmer, the editor, the waiter, the policeman = the police officer, my uncle, our neighbour = the man
        next door, my cousin, her husband, his wife, the boy, the girl, the old man = the elderly man, the hunter, the thief = the
        burglar, the engineer, the soldier, the priest, the director, the goalkeeper, the author = the writer"""
    ),
    # two of a kind, who can change places
    "team": _forms("""Spain, Denmark, Chile, Ghana, Japan, Mexico, the visitors, the hosts = the home side, the champions, the
        students, the green team, the sailors, the older class, the bank, the ministry, the union, the bear, the wolf, the
        horse, the bus, the truck = the lorry, the taxi = the cab, the hawk, the company = the firm, the city, the village"""),
    "thing": _forms("""lead, tin, silver, rice, barley, butter, cheese, honey, wool = sheep's wool, silk, the red house, the white
        house, the north tower, the south tower, the first exam, the second exam, the old model, the new model, the left
        bank, the right bank, my garden, your garden, the theatre, the hospital"""),
    "name": _forms("""Ingrid, Rashid, Beatriz, Oleg, Mei, Tobias, Farida, Henrik, Chloe, Kofi, Mrs Novak, Mr Tanaka, Dr Weiss,
        Lucas, Sofia, Mozart, Darwin, Picasso, Newton, Cleopatra, Napoleon, Gandhi"""),
    "city": _forms("""Berlin, Lima, Osaka, Cairo, Helsinki, Toronto, Mumbai, Geneva, Seville, Naples, Dresden, Bergen, Chicago,
        Nairobi, Sydney, Leeds, Bristol, Marseille, Kyoto, Havana, Boston, Hamburg, Krakow, Perth"""),
    "land": _forms("""Sweden, Peru, Vietnam, Morocco, Austria, Turkey, Italy, Finland, Bolivia, Thailand, Ireland, Hungary,
        Argentina, Cuba, Sudan, Croatia, India, Canada"""),
    "brand": _forms("Nissan, Ford, Fiat, Siemens, Nokia, Sony, Philips, Renault, Samsung, Boeing, Airbus, Intel"),
    "planet": _forms("Mars, Venus, Mercury, Neptune, Uranus, the moon"),
    "tongue": _forms("Italian, Arabic, Swedish, Turkish, Greek, Dutch, Korean, Polish, Latin, Danish, Hebrew, Swahili"),
    # numbers
    "n": NUMBERS,
    "m": NUMBERS[:16],
    "part": _forms("""half = fifty per cent = one in two, a third = one in three, a quarter = 25 per cent = one in four, a fifth =
        twenty per cent = one in five, a tenth = ten per cent = one in ten, three quarters = 75 per cent, all = every one"""),
    "times": _forms("once, twice = two times, three times, four times, five times, ten times"),
    "nth": _forms("first, second, third, fourth, fifth, sixth, seventh, tenth, twentieth"),
    # dates
    "day": _forms("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "month": _forms("January, February, March, April, May, June, July, August, September, October, November, December"),
    "season": _forms("spring, summer, autumn = fall, winter"),
    "year": [[str(year)] for year in (1492, 1648, 1703, 1789, 1815, 1848, 1871, 1905, 1926, 1939, 1952, 1969, 1984, 1991, 2003, 2016)],
    "hour": _forms("""six = six o'clock, seven = seven o'clock, eight = eight o'clock, nine = nine o'clock, ten = ten o'clock,
        eleven = eleven o'clock, noon = midday, midnight, 5.30 = half past five, 6.15 = a quarter past six, 8.45 = a quarter to
        nine, three = three o'clock, four = four o'clock"""),
    "when": _forms("""yesterday, last week = the week before this one, last month, last night, this morning, this afternoon,
        in the evening, at dawn = at sunrise = at daybreak, at noon = at midday, at midnight, on Monday, on Tuesday, on Thursday,
        on Friday, on Sunday, in January, in April, in June, in October, in spring, in autumn = in the fall, in winter, in 1912,
        in 1954, in 1978, in 2008, two days ago = the day before yesterday, a year ago = twelve months ago, after lunch, before
        lunch, before dinner, after dinner, during the war, after the war, before the war, on 4 May, on 14 May, on 9 July,
        at six, at eight, at ten, in the nineteenth century, in the fifteenth century"""),
    "age": _forms("days, weeks, months, years, hours, minutes"),
}
KIND = {
    **dict.fromkeys(("a", "name", "city", "land", "brand", "planet", "tongue", "team", "thing"), "name"),
    **dict.fromkeys(("n", "m", "part", "times", "nth"), "number"),
    **dict.fromkeys(("day", "month", "season", "year", "hour", "when", "age"), "date"),
}


class Frame(NamedTuple):
    """Wordings of one fact, of what denies it, and of something else about the same."""

    says: Sequence[str]
    denies: Sequence[str] = ()
    others: Sequence[str] = ()
    is_deed: bool = False  # so that it can be said when and how


# What somebody does with something: base, past, participle (each with a second way to say it), what denies it, and with what.
DEEDS = """
repair repaired repaired / mend mended mended | broke | the bicycle = the bike, the roof, the radio, the fence, the engine = the motor
buy bought bought / purchase purchased purchased | sold | the house = the home, the painting = the picture, the boat, two tickets
close closed closed / shut shut shut | opened | the window, the shop = the store, the gate, the factory = the plant, the office
find found found / discover discovered discovered | lost | the ring, the wallet = the purse, the letter, the body, the mistake = the error
destroy destroyed destroyed / wreck wrecked wrecked | saved | the bridge, the car = the automobile, the house = the home, the evidence
build built built / construct constructed constructed | tore down | the wall, the tower, the church, the road = the street
begin began begun / start started started | ended | the lesson = the class, the speech = the talk, the meeting, the search
accept accepted accepted / agree_to agreed_to agreed_to | rejected | the offer, the plan = the scheme, the invitation, the proposal
cancel cancelled cancelled / call_off called_off called_off | confirmed | the trip = the journey, the wedding, the concert, the party
postpone postponed postponed / put_off put_off put_off | brought forward | the exam = the test, the visit, the operation = the surgery
steal stole stolen / take_away took_away taken_away | gave back | the jewels = the gems, the laptop = the computer, the money = the cash
clean cleaned cleaned / wash washed washed | soiled | the kitchen, the floor, the stairs = the steps, the dishes = the plates
write wrote written / compose composed composed | read | the poem, the song, the letter, the article
carry carried carried / bear bore borne | dropped | the suitcase = the bag, the child = the kid, the basket, the parcel = the package
hide hid hidden / conceal concealed concealed | revealed | the truth, the key, the gun = the weapon, the treasure
fill filled filled / load loaded loaded | emptied | the truck = the lorry, the tank, the box = the crate
choose chose chosen / pick picked picked | refused | the colour, the winner, the wine, the name
forget forgot forgotten / leave_behind left_behind left_behind | remembered | the umbrella, the passport, the keys, the phone = the mobile
cut cut cut / chop chopped chopped | grew | the tree, the wood = the timber, the onions, the bread
permit permitted permitted / allow allowed allowed | forbade | the demonstration = the protest, the sale, the photograph
pay paid paid / settle settled settled | ignored | the bill = the invoice, the fine, the debt, the rent
teach taught taught / instruct instructed instructed | left | the children = the kids, the recruits, the class
finish finished finished / complete completed completed | abandoned | the novel = the book, the race, the work = the job
throw_away threw_away thrown_away / get_rid_of got_rid_of got_rid_of | kept | the newspapers = the papers, the shoes, the couch = the sofa
criticise criticised criticised / find_fault_with found_fault_with found_fault_with | praised | the film = the movie, the speech, the decision
"""

# What one does to another. Whoever does it may change places with the other.
DONE_TO = """
thank thanked thanked / express_thanks_to expressed_thanks_to thanked | insulted
help helped helped / assist assisted assisted | hindered
follow followed followed / go_after went_after followed | avoided
hit hit hit / strike struck struck | missed
defeat defeated defeated / beat beat beaten | lost to
accuse accused accused / blame blamed blamed | defended
visit visited visited / call_on called_on visited | avoided
trust trusted trusted / rely_on relied_on trusted | doubted
love loved loved / adore adored adored | hated
attack attacked attacked / assault assaulted assaulted | protected
overtake overtook overtaken / pass passed passed | fell behind
invite invited invited / ask_over asked_over invited | turned away
warn warned warned / caution cautioned cautioned | misled
teach taught taught / instruct instructed instructed | ignored
fire fired fired / dismiss dismissed dismissed | hired
rescue rescued rescued / save saved saved | abandoned
interview interviewed interviewed / question questioned questioned | ignored
forgive forgave forgiven / pardon pardoned pardoned | punished
criticise criticised criticised / find_fault_with found_fault_with criticised | praised
greet greeted greeted / say_hello_to said_hello_to greeted | ignored
"""


def _deeds() -> List[Frame]:
    frames = []
    for line in filter(None, (DEEDS + DONE_TO).split("\n")):
        verbs, opposite, *what = (part.strip() for part in line.split("|"))
        (base, past, done), (base2, past2, done2) = (
            [word.replace("_", " ") for word in each.split()] for each in verbs.split("/")
        )
        for value in _forms(what[0]) if what else [None]:
            pairs = [("{a}", "{b}"), ("{team}", "{team2}")] if value is None else [("{a}", "<" + "=".join(value) + ">")]
            for one, x in pairs:
                was = "were" if x.split("=")[0].rstrip(">").endswith("s") and value is not None else "was"
                frames.append(
                    Frame(
                        [
                            f"{one} {past} {x}", f"{one} {past2} {x}", f"{x} {was} {done} by {one}", f"{x} {was} {done2} by {one}",
                            f"it was {one} who {past} {x}", f"the one who {past2} {x} was {one}",
                        ],
                        [
                            f"{one} did not {base} {x}", f"{one} never {past} {x}", f"{one} {opposite} {x}", f"{x} {was} not {done} by {one}",
                            f"{one} refused to {base} {x}", f"{one} failed to {base2} {x}", f"nobody {past} {x}",
                        ],
                        is_deed=True,
                    )
                )  # fmt: skip
    return frames


def _frames() -> List[Frame]:
    """Each paragraph of facts.txt: a line for each wording, `!` before what denies it, `~` before something else about it."""
    paragraphs = (Path(__file__).parent / "facts.txt").read_text(encoding="utf-8").strip().split("\n\n")
    return [
        Frame(
            [line for line in lines if line[0] not in "!~"],
            [line[1:].strip() for line in lines if line[0] == "!"],
            [line[1:].strip() for line in lines if line[0] == "~"],
        )
        for lines in (paragraph.split("\n") for paragraph in paragraphs)
    ]


ADJUNCTS = """because of the bad weather = due to the bad weather = as the weather was bad, to save money = in order to save money =
so as to spend less, for the first time, without any help = with nobody's help, by mistake = accidentally, in secret = secretly, with
great care = very carefully, in front of the station, behind the church, in the park, at the airport, near the harbour = close to the
port, in a hurry = hurriedly, for no reason = without any reason, once more = again, although it was raining = despite the rain,
as everybody knows = as is well known"""

CONTRACTIONS = {
    "did not": "didn't", "does not": "doesn't", "do not": "don't", "is not": "isn't", "was not": "wasn't", "were not": "weren't",
    "cannot": "can't", "would not": "wouldn't", "has not": "hasn't", "will not": "won't", "it is": "it's", "I am": "I'm",
    "there is": "there's",
}  # fmt: skip


# How many pairs there are of each kind.
SHARES = {"same": 12, "negation": 3, "roles": 3, "number": 2, "name": 2, "date": 2, "related": 2, "unrelated": 1}
ALIKE = 0.93  # of the pairs that differ in one thing have the same wording else
SWAPS = (("a", "b"), ("team", "team2"), ("thing", "thing2"), ("city", "city2"))


class Writer:
    """Writes pairs, the same ones for the same seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.frames = [*_frames() * 4, *_deeds()]
        self.adjuncts = _forms(ADJUNCTS)

    def pairs(self, count: int) -> Iterator[Pair]:
        for _ in range(count):
            (kind,) = self.random.choices(list(SHARES), list(SHARES.values()))
            pair = None
            while pair is None:
                pair = self.pair(kind)
            yield pair

    def pair(self, kind: str) -> "Pair | None":
        """A pair of a kind, or nothing where a frame that is drawn has none."""
        frame, another = self.random.choices(self.frames, k=2)
        values, adjuncts = self.values(frame), self.adjuncts_of(frame)
        line = self.random.choice(frame.says)
        alike = line if self.random.random() < ALIKE else self.random.choice(frame.says)
        fact = (line, values, adjuncts)
        if kind == "same":
            return self.written(kind, fact, (self.random.choice(frame.says), values, adjuncts))
        if kind == "negation":
            if not frame.denies:
                return None
            denial = self.random.choice(frame.denies)
            nearest = max(frame.says, key=lambda says: _likeness(says, denial))
            line = nearest if self.random.random() < ALIKE else line
            return self.written(kind, (line, values, adjuncts), (denial, values, adjuncts))
        if kind == "related":
            return self.written(kind, fact, (self.random.choice(frame.others), values, [])) if frame.others else None
        if kind == "unrelated":
            if another == frame:
                return None
            return self.written(kind, fact, (self.random.choice(another.says), self.values(another), self.adjuncts_of(another)))
        if kind == "roles":
            swaps = [(one, other) for one, other in SWAPS if one in values and other in values]
            swapped = {slot: values[other] for pair in swaps for slot, other in (pair, pair[::-1])}
            return self.written(kind, fact, (alike, {**values, **swapped}, adjuncts)) if swaps else None
        if kind == "date" and any(adjunct in SLOTS["when"] for adjunct in adjuncts):
            later = [self.fresh("when", adjuncts) if adjunct in SLOTS["when"] else adjunct for adjunct in adjuncts]
            return self.written(kind, fact, (alike, values, later))
        slots = [slot for slot in values if KIND[_slot(slot)] == kind and "{" + slot + "}" in line]
        if not slots:
            return None
        slot = self.random.choice(slots)
        return self.written(kind, fact, (alike, {**values, slot: self.fresh(slot, values.values())}, adjuncts))

    def fresh(self, slot: str, taken: Collection[Value]) -> Value:
        return self.random.choice([value for value in SLOTS[_slot(slot)] if value not in taken])

    def values(self, frame: Frame) -> Dict[str, Value]:
        values: Dict[str, Value] = {}
        for slot in sorted(set(re.findall(r"\{(\w+)\}", " ".join((*frame.says, *frame.denies, *frame.others))))):
            values[slot] = self.fresh(slot, values.values())
        return values

    def adjuncts_of(self, frame: Frame) -> List[Value]:
        """What is added to a deed: when, or how."""
        if not frame.is_deed or self.random.random() < 0.3:
            return []
        when, how = self.random.choice(SLOTS["when"]), self.random.choice(self.adjuncts)
        return self.random.choice([[when], [when], [how], [how, when]])

    def written(self, kind: str, one: tuple, other: tuple) -> "Pair | None":
        """A pair as text. What is no paraphrase differs in little else: as a rule its words have the same form."""
        forms: Dict[str, str] = {}
        first = self.sentence(*one, forms)
        second = self.sentence(*other, {} if kind == "same" or self.random.random() < 0.3 else forms)
        if first == second:
            return None
        sentences = [first, second]
        self.random.shuffle(sentences)
        return Pair(kind, *sentences, kind == "same")

    def sentence(self, line: str, values: Dict[str, Value], adjuncts: List[Value], forms: Dict[str, str]) -> str:
        def form(value: Value) -> str:
            return forms.setdefault(value[0], self.random.choice(value))

        text = re.sub(r"\{(\w+)\}", lambda found: form(values[found[1]]), line)
        text = re.sub(r"<([^>]+)>", lambda found: form(found[1].split("=")), text)
        for adjunct in adjuncts:
            said = form(adjunct)
            front = forms.setdefault(f"front of {adjunct[0]}", self.random.choice(["front", "back", "back"])) == "front"
            text = f"{said}, {text}" if front else f"{text} {said}"
        if forms.setdefault("contracted", self.random.choice(["yes", "no"])) == "yes":
            for long, short in CONTRACTIONS.items():
                text = re.sub(rf"\b{long}\b", short, text)
        return text[0].upper() + text[1:] + "."
