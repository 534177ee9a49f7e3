"""Write the golden letters anew, to be read by a person before they are committed:  python -m tests.render.golden"""

from tests.render.written import GOLDEN, cases, message


def letters() -> dict[str, bytes]:
    """Every golden letter, by file name."""
    return {
        f"{name}.{'+'.join(locales)}.eml": message(case.values, *locales, form=case.form)
        for name, case in cases().items()
        for locales in case.languages
    }


if __name__ == "__main__":
    for path in GOLDEN.glob("*.eml"):
        path.unlink()
    for name, data in letters().items():
        (GOLDEN / name).write_bytes(data)
