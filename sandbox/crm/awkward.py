"""Contacts as real imports bring them: every one of them has once broken somebody's mailing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Awkward:
    """One contact that is hard to mail."""

    what: str
    first_name: str
    last_name: str
    email: str
    #: Whether it has an address that mail can be sent to.
    mailable: bool = True


#: Records of one person: only one mail may go out for each group of spellings.
SAME_ADDRESS = (
    Awkward("an address", "Robin", "Twin", "robin.twin@linden-books.example"),
    Awkward("the same address again", "Robin", "Twin", "robin.twin@linden-books.example"),
    Awkward("the same address in capitals", "ROBIN", "TWIN", "Robin.Twin@Linden-Books.EXAMPLE"),
    Awkward("the same address with spaces", "Robin", "Twin-Spaced", "  robin.twin@linden-books.example "),
)
SAME_IDN_ADDRESS = (
    Awkward("an international domain", "Anna", "Buchmann", "anna@bücher.example"),
    Awkward("the same domain in ASCII", "Anna", "Buchmann", "anna@xn--bcher-kva.example"),
)

NAMES = (
    Awkward("accents", "Zoë", "Müller-Ångström", "zoe.mueller@elm-print.example"),
    Awkward("Chinese, Japanese", "花子", "山田", "hanako.yamada@raven-media.example"),
    Awkward("written from right to left", "ליאור", "בן־דוד", "lior@cedar-labs.example"),
    Awkward("turns the text around", "Evan\u202e", "txt.exe", "evan@cedar-labs.example"),
    Awkward("no first name", "", "O'Brien", "o'brien@amber-foods.example"),
    Awkward("no last name", "Madonna", "", "madonna@amber-foods.example"),
    Awkward("no name at all", "", "", "nameless@amber-foods.example"),
    Awkward("comma", "Smith, John", "Jr., Esq.", "john.smith@birch-bikes.example"),
    Awkward("quotes", 'Bob "The Builder"', "D'Arcy\\", "bob@birch-bikes.example"),
    Awkward("angle brackets", "Eve <eve@evil.example>", "Adams", "eve@birch-bikes.example"),
    Awkward("a script", "<script>alert('hello')</script>", "Tables", "bobby@birch-bikes.example"),
    Awkward("an HTML entity", "Tom &amp; Jerry", "&lt;b&gt;", "tom@birch-bikes.example"),
    Awkward("template language", "{{ contact.email }}", "{% raw %}", "curly@coral-solar.example"),
    Awkward("a spreadsheet formula", "=cmd|'/C calc'!A0", "@SUM(1+1)", "formula@coral-solar.example"),
    Awkward("a control character", "Vera\u000bTab", "Control\u0007", "vera@coral-solar.example"),
    Awkward("a line break", "Lina\r\nBcc: everyone@evil.example", "Break", "lina@coral-solar.example"),
    Awkward("an emoji", "Party 🎉", "Popper 👩‍👩‍👧", "party@quartz-media.example"),
    Awkward("percent signs", "%(name)s", "100%", "percent@quartz-media.example"),
    Awkward(
        "as long as can be", "Wolfeschlegelstein" * 8, "hausenbergerdorff " * 8, "long@quartz-media.example"
    ),
)

ADDRESSES = (
    Awkward("a plus sign", "Petra", "Plus", "petra+news@maple-labs.example"),
    Awkward("international local part", "Jürgen", "Grüße", "jürgen@bücher.example"),
    Awkward("64 characters before the at", "Max", "Imum", "m" * 64 + "@maple-labs.example"),
    Awkward("mailbox does not exist", "Gone", "Fishing", "unknown@gone.example"),
    Awkward("mailbox does not exist", "Moved", "Away", "unknown.too@gone.example"),
    Awkward(
        "65 characters before the at", "Max", "Imum-Plus", "m" * 65 + "@maple-labs.example", mailable=False
    ),
    Awkward("empty", "Ella", "Empty", "", mailable=False),
    Awkward("only spaces", "Spencer", "Blank", "   ", mailable=False),
    Awkward("no at sign", "Noel", "Noat", "no-at-sign", mailable=False),
    Awkward("two at signs", "Toni", "Twoat", "two@@x", mailable=False),
    Awkward("trailing comma", "Colin", "Comma", "colin@pebble-foods.example,", mailable=False),
    Awkward("two addresses", "Ann", "Ampersand", "a@b.example, c@d.example", mailable=False),
    Awkward("nothing before the at", "Nina", "Nolocal", "@pebble-foods.example", mailable=False),
    Awkward("two dots", "Dot", "Dotty", "dot@pebble..example", mailable=False),
    Awkward("a space inside", "Stacy", "Space", "stacy space@pebble-foods.example", mailable=False),
    Awkward("with a display name", "Dora", "Display", "Dora <dora@pebble-foods.example>", mailable=False),
    Awkward("a smuggled header", "Mallory", "Header", "m@b.example\r\nBcc: v@b.example", mailable=False),
    Awkward("not an address", "Unknown", "Unknown", "unknown - ask Nora!", mailable=False),
)

ALL = (*SAME_ADDRESS, *SAME_IDN_ADDRESS, *NAMES, *ADDRESSES)
