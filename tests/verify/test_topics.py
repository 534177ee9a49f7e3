"""Topics are data: a third one is a file, and a wrong one is refused with the path of what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.data.topic import ANY, REPUTATION, claim_kinds, read_topic, topic_of, topics
from pipeline.domain import ConfigurationError

THIRD = """
title = "open resolver"
[evidence]
freshness = "48h"
dynamic_freshness = "12h"
[recheck]
every = "2d"
passive = ["feed"]
[wording]
one = "open resolver"
many = "open resolvers"
fix = "open_resolver"
[claims.open_resolver]
service = "dns"
transport = "udp"
ports = [53]
protocol_level = true
"""


def written(folder: Path, text: str, name: str = "open_resolver") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_topics_have_the_claims_of_the_domain() -> None:
    assert {name: set(topic.claims) for name, topic in topics().items()} == {
        "open_relay": {"open_relay"},
        "open_proxy": {"http_connect", "http_proxy", "socks4", "socks5", "socks", "proxy"},
    }
    for topic in topics().values():
        assert (topic.freshness, topic.dynamic_freshness) == (timedelta(hours=72), timedelta(hours=24))
        assert {"one", "many", "fix"} <= set(topic.wording)


def test_a_third_topic_is_a_file_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, THIRD)
    for known in (topics(tmp_path), topics(further=(path,))):
        topic = known["open_resolver"]
        assert (topic.freshness, topic.recheck_every) == (timedelta(hours=48), timedelta(days=2))
        assert (topic.active_check, topic.passive_checks) == ("", ("feed",))
        kind = claim_kinds(known)["open_resolver"]
        assert (kind.service, kind.transport, kind.ports, kind.speaks_for) == ("dns", "udp", (53,), frozenset({"dns"}))
        assert topic_of(known, "open_resolver") == "open_resolver"
    assert set(topics(further=(path,))) == {"open_relay", "open_proxy", "open_resolver"}


def test_reputation_is_of_no_topic_and_may_be_of_none(tmp_path: Path) -> None:
    assert topic_of(topics(), REPUTATION) == ""
    assert claim_kinds(topics())[REPUTATION].speaks_for == frozenset()
    with pytest.raises(ConfigurationError, match=r"open_resolver\.claims\.reputation is not allowed"):
        read_topic(written(tmp_path, THIRD.replace("[claims.open_resolver]", "[claims.reputation]")))


def test_a_claim_of_any_service_speaks_for_those_of_its_own_topic_alone() -> None:
    claims = topics()["open_proxy"].claims
    assert claims["proxy"].speaks_for == {"http", "socks4", "socks5", ANY}
    assert claims["socks"].speaks_for == {"socks4", "socks5"}


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('title = "open resolver"', "", r"open_resolver\.title is missing"),
        ('title = "open resolver"', "title = 1", r"open_resolver\.title is not a str"),
        ("[evidence]", "[evidence]\nhalf_life = 1", r"open_resolver\.evidence\.half_life is not known"),
        ('"48h"', '"48"', r"open_resolver\.evidence\.freshness is not a span"),
        ('"48h"', '"0h"', r"open_resolver\.evidence\.freshness is not a span"),
        ('"48h"', "48", r"open_resolver\.evidence\.freshness is not a str"),
        ("ports = [53]", "ports = [0]", r"claims\.open_resolver\.ports is not a list of ports"),
        ("ports = [53]", "ports = [true]", r"claims\.open_resolver\.ports is not a list of ports"),
        ('"udp"', '"sctp"', r"claims\.open_resolver\.transport is"),
        ('service = "dns"', "", r"claims\.open_resolver\.service is missing"),
        ("protocol_level = true", "protocol_level = 1", r"claims\.open_resolver\.protocol_level is not a bool"),
        ('passive = ["feed"]', "passive = [1]", r"open_resolver\.recheck\.passive is not a list of strings"),
        (THIRD[THIRD.index("[claims") :], "[claims]", r"open_resolver\.claims is empty"),
        ('title = "open resolver"', "title = ", "is not TOML"),
    ],
)
def test_a_wrong_topic_is_refused_with_the_path_of_what_is_wrong(tmp_path: Path, old: str, new: str, path: str) -> None:
    assert old in THIRD
    with pytest.raises(ConfigurationError, match=path):
        read_topic(written(tmp_path, THIRD.replace(old, new)))


def test_two_topics_may_share_neither_a_claim_nor_a_name(tmp_path: Path) -> None:
    second = written(tmp_path, THIRD, "open_dns")
    with pytest.raises(ConfigurationError, match="two topics have the claim open_resolver"):
        topics(further=(second, written(tmp_path, THIRD)))
    with pytest.raises(ConfigurationError, match="two topics are called open_dns"):
        topics(further=(second, second))
    with pytest.raises(ConfigurationError, match="is no name for a topic"):
        read_topic(written(tmp_path, THIRD, "open-dns"))


def test_a_missing_folder_or_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no topic"):
        topics(tmp_path / "absent")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_topic(tmp_path / "absent.toml")
