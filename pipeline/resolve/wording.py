"""Know what the words beside an address say of it: that it is for abuse, or that nobody is to write to it.

Pure.  Some twenty languages, by words that registries' remarks use; where none is known, a text says neither.
"""

import re

# looked for in lower-cased text between spaces: one pattern of them all costs five times as much
_ABUSE_WORDS = (
    *(
        "abus",
        "spam",
        "phish",
        " hack",
        "intrusion",
        "malware",
        "botnet",
        " scam",
        "fraud",
        " attack",
        " uce ",
        " uce/",
    ),
    *("security incident", "security breach", "pourriel", "hameçonnage", "hameconnage", "missbrauch", "mißbrauch"),
    *("misbruik", "misbruk", "nadużyć", "nadużyc", "naduzyc", "zneužit", "zneužív", "zneuzit", "kötüye kullan"),
    *("kotuye kullan", "злоупотреб", "зловживан", "спам", "жалоб", "lạm dụng", "thư rác", "penyalahgunaan"),
    *(
        "滥用",
        "濫用",
        "垃圾邮件",
        "垃圾郵件",
        "举报",
        "スパム",
        "迷惑メール",
        "不正アクセス",
        "스팸",
        "침해사고",
        "남용",
    ),
)
_REFUSAL_HINTS = (
    *("not", "n't", "n’t", "never", "ne ", "n'", "n’", "no ", "nao ", "não ", "non ", "nicht", "kein", "niet", "geen"),
    *("не ", "unmonitored", "unattended", "only for", "will be ", "请勿", "請勿", "不要", "しないで", "ご遠慮", "하지"),
)
_REFUSAL = re.compile(  # of lower-cased text that has one of the hints
    r"\b(?:do not|don['’]t|never|please don.t|ne pas|ne \w+ pas|n['’]\w+ pas|nicht|kein\w*|niet|geen)\b"
    r"|\bno (?:env[ií]e|enviar|usar|use|utili[cz]\w+|escrib\w+|mand\w+)\b"
    r"|\bn[ãa]o (?:envi\w+|us\w+|utiliz\w+|escrev\w+|mand\w+)\b|\bnon (?:inviare|scrivere|usare|utilizzare)\b"
    r"|\bне (?:отправ|пиш|присыл|использ|направ)|请勿|請勿|不要|しないで|ご遠慮|하지 ?마"
    r"|\bnot (?:for|to be|be (?:used|read|answered|processed)|used|read|monitored|an? abuse|accepted)\b"
    r"|\b(?:un|not )(?:monitored|attended)\b|\bno longer\b|\bonly for\b(?! (?:\S+ ){0,3}(?:abus|spam))"
    r"|\bwill be (?:ignored|discarded|deleted|dropped)\b"
)
# "mail to any other address will not be read" speaks of the others, not of the address beside it
_OF_OTHERS = re.compile(r"\bother (?:e-?mail )?(?:address|contact|mailbox|poc|recipient)|\belsewhere\b")


def is_of_abuse(text: str) -> bool:
    """True if the text has a word for abuse, spam, attacks and the like, in one of some twenty languages."""
    lowered = f" {text.lower()} "
    return any(word in lowered for word in _ABUSE_WORDS)


def refuses(text: str) -> bool:
    """True if the text says not to write to the address beside it, or that nobody reads it."""
    lowered = text.lower()
    if not any(hint in lowered for hint in _REFUSAL_HINTS):
        return False
    return _REFUSAL.search(lowered) is not None and _OF_OTHERS.search(lowered) is None
