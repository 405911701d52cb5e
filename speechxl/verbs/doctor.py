"""`speechxl doctor`: whether everything that is needed works on this machine."""

from speechxl.verbs.outcome import Outcome

BROKEN_CODE = 1


def doctor(*, self_test: bool = True) -> Outcome:
    """Look at Python, libraries, processors, disk, formats and caches, and let a tiny model with random weights transcribe.

    Exit code 1 if something required is broken.

    Args:
        self_test: Whether to do the last.
    """
    from dataclasses import asdict

    from speechxl.verbs.doctor_checks import BROKEN, WARNING, examine
    from speechxl.verbs.inventory_table import columns

    findings = list(examine(self_test=self_test))
    broken = [finding for finding in findings if finding.state == BROKEN]
    warned = [finding for finding in findings if finding.state == WARNING]
    rows = [[finding.state, finding.name, finding.found] for finding in findings]
    advice = [f"{finding.name}: {finding.advice}" for finding in (*broken, *warned) if finding.advice]
    verdict = f"{len(broken)} broken" if broken else "everything required works"
    verdict += f", {len(warned)} to know of" if warned else ""
    document = {
        "schema": 1,
        "works": not broken,
        "checks": [asdict(finding) for finding in findings],
        "versions": {x.name: x.found for x in findings if x.group == "library"},
    }
    return Outcome(document, "\n".join([columns(rows), "", *advice, verdict]), BROKEN_CODE if broken else 0)
