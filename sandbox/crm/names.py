"""The raw material that people and companies are made of. All invented; all domains are reserved ones."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """Where people of one language live, and what they are called."""

    language: str
    time_zone: str
    country: str
    cities: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


IRELAND = Region(
    "en",
    "Europe/Dublin",
    "Ireland",
    ("Dublin", "Cork", "Galway"),
    _words(
        "Aoife Brendan Ciara Declan Eimear Fionn Gráinne Hugh Isla Jack Keira Liam Maeve Niall Orla Pádraig"
    ),
    _words("Byrne Carroll Doyle Fitzgerald Gallagher Healy Kavanagh Lynch Murphy O'Brien O'Neill Quinn Ryan"),
)
REGIONS = (
    IRELAND,
    Region(
        "en",
        "America/Toronto",
        "Canada",
        ("Toronto", "Halifax", "Victoria"),
        _words("Amelia Benjamin Chloe Evelyn Gavin Hazel Jasmine Kyle Lucas Morgan Nathan Priya Ravi"),
        _words("Anderson Bennett Campbell Douglas Edwards Fraser Grant Kaur MacLeod Patel Reid Singh Taylor"),
    ),
    Region(
        "de",
        "Europe/Berlin",
        "Germany",
        ("Berlin", "Hamburg", "Köln"),
        _words("Anke Björn Carla Emil Frieda Günther Hannah Ingo Käthe Jürgen Mareike Nils Ömer Petra"),
        _words(
            "Bauer Çelik Dreßler Fischer Groß Hoffmann Jäger Köhler Müller Neumann Schäfer Weiß Zimmermann"
        ),
    ),
    Region(
        "fr",
        "Europe/Paris",
        "France",
        ("Paris", "Lyon", "Nîmes"),
        _words(
            "Amélie Baptiste Céline Damien Élodie François Gaëlle Hugo Inès Jérôme Léa Mathéo Noémie Rémi"
        ),
        _words("Bernard Chevalier Delacroix Dubois Fournier Guérin Lefèvre Marchand Moreau Pélissier Vidal"),
    ),
    Region(
        "en",
        "Europe/Warsaw",
        "Poland",
        ("Kraków", "Łódź", "Gdańsk"),
        _words(
            "Agnieszka Bartosz Celina Elżbieta Grzegorz Hanna Jacek Łucja Marek Paweł Róża Stanisław Żaneta"
        ),
        _words(
            "Dąbrowska Gołębiewski Jabłoński Kowalczyk Lewandowska Mazur Nowak Pawłowski Wójcik Zając Żak"
        ),
    ),
    Region(
        "ja",
        "Asia/Tokyo",
        "Japan",
        ("Osaka", "Sapporo"),
        _words("葵 陽菜 結衣 蓮 大翔 健太 さくら 真由美 直樹 恵子"),
        _words("佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤"),
    ),
    Region(
        "ar",
        "Africa/Cairo",
        "Egypt",
        ("Cairo", "Alexandria"),
        _words("أحمد فاطمة يوسف مريم خالد ليلى عمر نور حسن سلمى"),
        _words("حداد منصور صالح نجار خليل عثمان فارس يعقوب سليمان مصطفى"),
    ),
)
#: How often each region is drawn: our company sits in Ireland.
REGION_WEIGHTS = (30, 16, 16, 14, 12, 6, 6)

TITLES = ("", "", "", "", "", "", "Dr.", "Prof.", "Ms", "Mr")
TAGS = ("partner", "newsletter", "trade fair", "workshop", "press", "reseller", "pilot")
SOURCES = ("Website", "Trade fair", "Referral", "Webinar", "Cold call")
INDUSTRIES = ("Logistics", "Bakery", "Software", "Printing", "Health", "Education", "Energy", "Publishing")

COMPANY_FIRST = _words(
    "Amber Birch Cedar Copper Coral Elm Falcon Granite Harbour Indigo Juniper Lantern Linden Maple Meadow"
    " Northwind Orchard Pebble Quartz Raven Saffron Silver Tidal Willow"
)
COMPANY_SECOND = _words(
    "Bakeries Bikes Books Clinics Foods Freight Gardens Instruments Labs Media Print Solar Systems Textiles"
)
COMPANY_ENDINGS = ("Ltd", "GmbH", "SARL", "& Sons", "Group", "Co-op")

PRODUCTS = ("Webshop", "Warehouse", "Invoicing", "Mobile app", "Reporting")
QUESTIONS = (
    "Cannot sign in to the {product}",
    "{product}: export stops half way",
    "How do I add a colleague to {product}?",
    "Invoice shows the wrong VAT number",
    "{product} is slow since this morning",
    "Please delete my data",
    "Change of our delivery address",
)
