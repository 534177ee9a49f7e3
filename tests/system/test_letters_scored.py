"""What SpamAssassin thinks of the letters: its local rules, its own settings, and a relay with a proper name.

All letters are judged in one process, as starting takes longer than judging.  They are not signed here: a signature would
hush some rules.  Which words a rule found: `spamassassin -L -D rules < letter`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system.letters import NAMELESS, RECEIVER, arrived, golden, kept
from tests.system.presence import needs

MOST = 0.5  # points; mail is marked as spam at 5
SITE = Path("/etc/spamassassin")
RULES = Path("/usr/share/spamassassin")
SETTINGS = f"""
use_bayes 0
use_auto_welcomelist 0
use_razor2 0
use_pyzor 0
dns_available no
clear_trusted_networks
clear_internal_networks
trusted_networks {RECEIVER}
internal_networks {RECEIVER}
"""
JUDGE = r"""
use strict;
use warnings;
use Mail::SpamAssassin;
my ($home, $rules, $settings) = @ARGV;
my $judge = Mail::SpamAssassin->new({
  local_tests_only => 1,
  dont_copy_prefs => 1,
  userprefs_filename => "$home/none",
  userstate_dir => $home,
  home_dir_for_helpers => $home,
  rules_filename => $rules,
  site_rules_filename => "$home/site",
  post_config_text => $settings,
});
$judge->init(0);
while (my $path = <STDIN>) {
  chomp $path;
  open my $in, '<:raw', $path or die "$path: $!";
  my $mail = $judge->parse(do { local $/; <$in> }, 1);
  my $status = $judge->check($mail);
  my @rules = map { "$_=" . $status->{conf}{scores}{$_} } grep { $_ } split /,/, $status->get_names_of_tests_hit();
  print join("\t", $status->get_score(), @rules), "\n";
  $status->finish;
  $mail->finish;
}
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """A letter's points, and those of each rule that fired."""

    points: float
    rules: Mapping[str, float]


def judge(folder: Path, letters: dict[str, bytes]) -> dict[str, Judged]:
    """Return what SpamAssassin says of each letter."""
    needs("spamassassin", shutil.which("spamassassin"))
    (folder / "site").mkdir()
    (folder / "mail").mkdir()
    for path in SITE.glob("*.pre"):  # which parts of it are loaded; not what this machine's postmaster has set
        (folder / "site" / path.name).symlink_to(path)
    paths = kept(folder / "mail", {name: data.replace(b"\r\n", b"\n") for name, data in letters.items()})
    run = subprocess.run(
        ["perl", "-e", JUDGE, folder, RULES, SETTINGS],
        input="".join(f"{path}\n" for path in paths),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return dict(zip(letters, map(_judged, run.stdout.splitlines()), strict=True))


def _judged(line: str) -> Judged:
    points, *rules = line.split("\t")
    named = (rule.split("=") for rule in rules)
    return Judged(float(points), {name: float(value) for name, value in named})


def test_every_golden_letter_through_a_clean_relay_has_at_most_half_a_point(tmp_path: Path) -> None:
    found = judge(tmp_path, {name: arrived(letter) for name, letter in golden().items()})
    over = [f"{name}: {one.points} points, {dict(one.rules)}" for name, one in found.items() if one.points > MOST]
    assert not over, "\n".join(over)


def test_a_letter_without_date_by_a_nameless_relay_has_the_points_that_it_deserves(tmp_path: Path) -> None:
    letter = golden()["relay-e0-owner.en.eml"]
    shouting = re.sub(
        rb"Subject: .*?\r\n(?! )", b"Subject: YOUR SERVER MUST BE CLOSED NOW\r\n", letter, flags=re.DOTALL
    )
    letters = {"good.eml": arrived(letter), "bad.eml": arrived(shouting, NAMELESS, dated=False)}
    good, bad = judge(tmp_path, letters).values()
    assert {"MISSING_DATE", "HELO_LOCALHOST", "RDNS_NONE", "SUBJ_ALL_CAPS"} <= bad.rules.keys() - good.rules.keys()
    assert bad.points > good.points + 5
