import pytest

from pipeline.render.language import LanguageChoice, choose, choose_for, home

DEFAULT = ("en", "fr_CA")


@pytest.mark.parametrize(
    ("preference", "country", "region", "locales", "rule"),
    [
        # a recorded preference wins over everything
        ("fr-CA", "US", "", ("fr_CA",), "preference"),
        ("en", "CA", "QC", ("en",), "preference"),
        ("fr", "CA", "ON", ("fr_CA",), "preference"),
        ("fr", "FR", "", ("fr",), "preference"),
        ("fr", "", "", ("fr_CA",), "preference"),  # the campaign's own French
        ("fr_FR", "CA", "", ("fr",), "preference"),
        ("en-GB, fr-ca", "", "", ("en", "fr_CA"), "preference"),
        ("fr, fr-CA, en", "BE", "", ("fr", "en"), "preference"),
        ("de, en", "DE", "", ("en",), "preference"),
        ("de", "FR", "", ("fr",), "country"),  # a language we do not write is no preference
        # Canada
        ("", "CA", "QC", ("fr_CA", "en"), "province"),
        ("", "CA", "Québec", ("fr_CA", "en"), "province"),
        ("", "CA", " Province of Quebec ", ("fr_CA", "en"), "province"),
        ("", "ca", "P.Q.", ("fr_CA", "en"), "province"),
        ("", "CA", "NB", ("en", "fr_CA"), "province"),
        ("", "CA", "Nouveau-Brunswick", ("en", "fr_CA"), "province"),
        ("", "CA", "ON", ("en", "fr_CA"), "country"),
        ("", "CA", "", ("en", "fr_CA"), "country"),
        ("", "FR", "QC", ("fr",), "country"),  # a region means nothing outside Canada
        # official languages
        ("", "FR", "", ("fr",), "country"),
        ("", "SN", "", ("fr",), "country"),
        ("", "CI", "", ("fr",), "country"),
        ("", "US", "", ("en",), "country"),
        ("", "GB", "", ("en",), "country"),
        ("", "IN", "", ("en",), "country"),
        ("", "CM", "", ("fr", "en"), "country"),
        ("", "VU", "", ("en", "fr"), "country"),
        ("", "BE", "", ("fr", "en"), "country"),
        ("", "CH", "", ("fr", "en"), "country"),
        ("", "MA", "", ("fr", "en"), "country"),
        ("", "LU", "", ("fr", "en"), "country"),
        ("", "SC", "", ("fr", "en"), "country"),
        ("", "MU", "", ("fr", "en"), "country"),
        ("", "MC", "", ("fr",), "country"),
        ("", "CD", "", ("fr",), "country"),
        ("", "RE", "", ("fr",), "country"),
        ("", "AU", "", ("en",), "country"),  # English is official there by custom alone, as in the US
        # nothing known, or neither language
        ("", "DE", "", ("en", "fr_CA"), "default"),
        ("", "", "", ("en", "fr_CA"), "default"),
        ("", "XX", "", ("en", "fr_CA"), "default"),
        ("", "../etc", "\x00", ("en", "fr_CA"), "default"),
    ],
)
def test_language_is_chosen_by_preference_then_province_then_country_then_default(
    preference: str, country: str, region: str, locales: tuple[str, ...], rule: str
) -> None:
    assert choose(preference, country, region, DEFAULT) == LanguageChoice(locales, rule)


def test_the_default_order_is_the_campaigns() -> None:
    assert choose("", "DE", "", ("fr", "en")).locales == ("fr", "en")


@pytest.mark.parametrize("order", [("en",), ("en", "en"), ("en", "de"), ()])
def test_a_default_order_names_both_languages(order: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="English and French"):
        choose("", "", "", order)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([("CA", "QC"), ("FR", ""), ("FR", "")], ("FR", "", True)),
        ([("FR", ""), ("CA", "QC"), ("CA", "ON"), ("CA", "ON")], ("CA", "ON", True)),
        ([("FR", ""), ("CA", "QC")], ("CA", "QC", True)),  # as many cases: the alphabet
        ([("CA", "QC"), ("CA", "ON")], ("CA", "ON", False)),
        ([("CA", ""), ("CA", ""), ("CA", "QC")], ("CA", "QC", False)),
        ([("", "QC"), ("", ""), ("US", "")], ("US", "", False)),
        ([("", "")], ("", "", False)),
        ([], ("", "", False)),
    ],
)
def test_a_letter_is_at_home_where_most_of_its_cases_are(
    places: list[tuple[str, str]], expected: tuple[str, str, bool]
) -> None:
    assert home(places) == home(places[::-1]) == expected


@pytest.mark.parametrize(
    ("preference", "places", "locales", "rule"),
    [
        ("", [("CA", "QC")], ("fr_CA", "en"), "province"),
        ("", [("CA", "QC"), ("CA", "QC"), ("US", "")], ("fr_CA", "en"), "province_of_most"),
        ("", [("FR", ""), ("FR", ""), ("US", "")], ("fr",), "country_of_most"),
        ("", [("DE", ""), ("DE", ""), ("US", "")], ("en", "fr_CA"), "default"),
        ("en", [("FR", ""), ("CA", "QC")], ("en",), "preference"),
        ("fr_CA,en", [("US", "")], ("fr_CA", "en"), "preference"),
    ],
)
def test_cases_in_several_countries_go_by_most_of_them_unless_the_contact_has_a_wish(
    preference: str, places: list[tuple[str, str]], locales: tuple[str, ...], rule: str
) -> None:
    assert choose_for(preference, places, DEFAULT) == LanguageChoice(locales, rule)
