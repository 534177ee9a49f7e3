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
    *(
        "misuse",
        "unsolicited",
        "ddos",
        "security incident",
        "security breach",
        "incidente de segur",
        "incidentes de segur",
    ),
    *("pourriel", "hameconnage", "missbrauch", "sicherheitsvorf", "misbruik", "misbruk", "naduzyc", "zneuzit"),
    *("kotuye kullan", "penyalahgunaan"),
)
_OTHER_ABUSE_WORDS = (  # not in ASCII
    *("incident de sécurité", "incidents de sécurité", "hameçonnage", "mißbrauch", "nadużyć", "nadużyc", "zneužit"),
    *("zneužív", "kötüye kullan", "злоупотреб", "зловживан", "спам", "жалоб", "lạm dụng", "thư rác"),
    *("滥用", "濫用", "垃圾邮件", "垃圾郵件", "举报", "スパム", "迷惑メール", "不正アクセス", "不正利用", "アビューズ"),
    *("스팸", "침해사고", "남용"),
)
# a text that _REFUSAL finds something in has one of these
_REFUSAL_HINTS = (
    *("not", "n't", "never", "no ", "non", "refrain", "avoid", "unmonitored", "unattended", "except", "excluding"),
    *("apart from", "thing but", "other ", "unrelated", "ne ", "n'", "aucun", "evite", "hormis", "sauf", "hors "),
    *("nicht", "kein", "niemals", "ausser", "niet", "geen", "nunca", "nao", "exce", "nie ", "meyin", "mayin", "jangan"),
    "tidak",
)
_OTHER_REFUSAL_HINTS = (  # not in ASCII
    *("n’", "évite", "außer", "não", "meyın", "mayın", "không", "đừng", "не", "кроме", "勿", "不", "ないで", "ご遠慮"),
    *("お控え", "ません", "対象外", "以外", "지", "않습니다", "아닙니다", "아님", "금지", "불가"),
)

# what follows a "not" that speaks of writing to a mailbox or of what becomes of the mail, not of the weather
_DEEDS = (
    r"(?:send\w*|sent|writ\w+|e-?mail\w*|mail\w*|us(?:e|ed|ing)|contact\w*|report\w*|forward\w*|address\w*|direct\w*"
    r"|c[cw]|cop(?:y|ied)|submit\w*|accept\w*|handl\w+|process\w*|deal\w*|read|answer\w*|monitor\w*|respon\w+|repl\w+"
    r"|act\w*|investigat\w+|taken?|receiv\w+|for|to|by|intended|meant|suitable|appropriate|right|correct|proper|an?"
    r"|abuse|spam|valid|work\w*|exist\w*|attended|bother|in use|recommended|the place)\b"
)
_REFUSAL = re.compile(  # of lower-cased text
    rf"(?:\bnot\b|\bcannot\b|\bnever\b|n['’]t\b)\W+(?:[\w-]+ ){{0,3}}?{_DEEDS}|\bnot[ -]abuse|\bnon-?\s?(?:abuse|spam)"
    r"|\b(?:refrain|avoid)\w*\b|\bno (?:abuse|spam|complaints?|unsolicited)\b(?!\w*[ -](?:polic|allow|toler|permit))"
    r"|\b(?:un|not )(?:monitored|attended)\b|\bno longer\b"
    r"|\b(?:except|excluding|apart from|anything but|everything but|other (?:\w+ )?than|unrelated to)\b"
    r"|\bne (?:\w+ ){0,3}(?:pas|plus|jamais|aucun\w*)\b|\bn['’]\w+ (?:\w+ ){0,2}(?:pas|plus|jamais|aucun\w*)\b"
    r"|\b(?:aucune?|[ée]vite[rz]|hormis|sauf|hors) |\bnicht\b|\bkein\w*|\bniemals\b|\bau(?:ß|ss)er\b|\bniet\b|\bgeen\b"
    r"|\bno (?:se|es|son|est[áa]n?|ser[áa]n?|debe\w*|atiend\w+|recib\w+|proces\w+|acept\w+|respond\w+|reenv\w+|remit\w+"
    r"|env[ií]\w+|usar|use|utili[cz]\w+|escrib\w+|mand\w+)\b|\bnunca\b|\bn[ãa]o\b|\bexcepto\b|\bexceto\b"
    r"|\bnon (?:inviar\w|inviat\w|scriver\w|scrivet\w|usar\w|usat\w|utilizz\w+|mandar\w|mandat\w|è|sono|viene|vengono)\b"
    r"|\bnie (?:wysy\w+|pis\w+|uży\w+|przyjm\w+|obsług\w+|jest)\b|(?:mey|may)[ıi]n(?:[ıi]z)?\b|\bjangan\b|\btidak\b"
    r"|\bkhông (?:gửi|dùng|sử dụng|nhận)|\bđừng\b|\bне\b|\bкроме\b"
    r"|勿|不要|不(?:处理|處理|接受|受理|用于|用於|可|得|再|是)|ないで|ご遠慮|お控え|(?:おり|い|し|き)ません|対象外|以外"
    r"|지 ?(?:마|말)|않습니다|아닙니다|아님|금지|불가"
)
# what becomes of the mail; it is said behind the address, and in front of it of something else
_FATE = re.compile(
    r"\b(?:is|are|be|being|gets?)\s+(?:\w+\s+)?(?:ignored|discarded|deleted|dropped|rejected|bounced|unread|deprecated"
    r"|obsolete|closed|discontinued|disabled|dead)\b|\bbounces\b|\bdeprecated\b|\bmailbox closed\b|/dev/null"
    r"|\b(?:ser[áa]n?|ser[ãa]o|son|são|est[áa]n?) (?:\w+ )?(?:ignorad|descartad|eliminad|borrad|rechazad|rejeitad|apagad)"
    r"|\b(?:est|sont|sera|seront) (?:\w+ )?(?:ignor|supprim|rejet|effac)|\bwerden (?:\w+ )?(?:ignoriert|gelöscht|verworfen)"
)
_ONLY_FOR = re.compile(r"\bonly for\b[^,;]{0,60}|\bfor (?:\S+ ){1,6}only\b")
# polite forms, what the holder does not do itself, and conditions: "if you get no answer from us, ..."
_HARMLESS = re.compile(
    r"\b(?:not|n['’]t) (?:hesitate|only|limited to)\b|\bhésitez pas\b|\bn[ãa]o hesite|\bno dude\b|\bzögern sie nicht\b"
    r"|\baarzel niet\b|\bне стесняйтесь\b|\bnon esitate\b"
    r"|\bwe (?:do not|don['’]t|never|will not|cannot) (?:\w+ )?(?:tolerate|condone|permit|support|allow|send|spam)\b"
    r"|\bnot (?:\w+ ){0,2}for (?:any |general |other )?(?:support|technical|sales|billing|peering|routing)"
    r"|\b(?:phone|telephone|calls?|fax|attachments?)\b[^,;]{0,30}\bnot\b"
    r"|\bnot contact (?:the |our )?(?:registrant|upstream)"
    r"|\b(?:if|when|in case|where|wenn|falls|si|se|caso|als|если|jeśli)\b[^,:;]{0,200}[,:]"
)
# "mail to any other address will not be read" speaks of the others, not of the address beside it
_OF_OTHERS = re.compile(
    r"(?<!and )\bother (?:e-?mail )?(?:(?:e-?)?mails?\b|messages|enquir|address|contact|mailbox|poc|recipient)"
    r"|\belsewhere\b"
)
_OF_SOME = re.compile(r"\bwithout\b|\bincomplete\b|\bmissing\b|\banonymous\b|\bduplicate")
# "do not use our form, mail X": an order of its own behind the comma
_ORDER = re.compile(
    r",\W{0,5}(?:(?:but|please|instead|rather|only|and) ){0,3}(?:use|send|write|mail|e-?mail|contact)\b[^,]*$"
)
_BUT_THIS = re.compile(
    r"\b(?:other than|except|except for|not (?:\w+ )?(?:sent|addressed|directed|mailed) to|autre que|außer an)\W*$"
)


def is_of_abuse(text: str) -> bool:
    """True if the text has a word for abuse, spam, attacks and the like, in one of some twenty languages."""
    return _has_one(f" {text.lower()} ", _ABUSE_WORDS, _OTHER_ABUSE_WORDS)


def _has_one(lowered: str, words: tuple[str, ...], others: tuple[str, ...]) -> bool:
    for word in words:  # any() over a generator costs twice as much
        if word in lowered:
            return True
    return not lowered.isascii() and any(word in lowered for word in others)


def refuses(before: str, behind: str = "") -> bool:
    """True if the words around an address say not to write to it, or that nobody reads it.

    "Reports not sent to X are ignored" is no refusal of X, nor is "mail to any other address is not read".
    """
    before, behind = before.lower(), behind.lower()
    if behind and is_lost(behind):
        return _BUT_THIS.search(before) is None
    if not (_may_refuse(before) or _may_refuse(behind)) or _BUT_THIS.search(before):
        return False
    if _is_only_for_else(before) or _is_only_for_else(behind):
        return True
    ordered = _ORDER.search(before)
    return _is_denied(ordered.group() if ordered is not None else before) or _is_denied(behind)


def _may_refuse(lowered: str) -> bool:
    """False for nearly all texts; cheap, since all are asked this and the patterns are dear."""
    return bool(lowered) and ("only" in lowered or _has_one(lowered, _REFUSAL_HINTS, _OTHER_REFUSAL_HINTS))


def is_lost(behind: str) -> bool:
    """True if the words behind an address say that what is sent there is thrown away, and not only some of it."""
    lowered = behind.lower()
    return bool(_FATE.search(lowered)) and not (_OF_OTHERS.search(lowered) or _OF_SOME.search(lowered))


def _is_only_for_else(lowered: str) -> bool:
    only = _ONLY_FOR.search(lowered)
    return only is not None and not is_of_abuse(only.group())


def _is_denied(lowered: str) -> bool:
    if not lowered or _REFUSAL.search(lowered) is None or _OF_OTHERS.search(lowered) is not None:
        return False
    return _REFUSAL.search(_HARMLESS.sub(" ", lowered)) is not None
