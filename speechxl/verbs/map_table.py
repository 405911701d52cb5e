"""A mapping of phones for people."""

from speechxl.phonology.inventory import Inventory
from speechxl.phonology.report import Report
from speechxl.symbols import shown
from speechxl.verbs.inventory_table import columns


def table(report: Report, inventory: Inventory) -> str:
    """What is not the model's own phone, one a line, and a summary."""
    known = any(x.count is not None for x in report.targets)
    rows = [
        [
            "phone",
            "status",
            "stands for it",
            *(["heard", "in"] if known else []),
            "share",
            "distance",
            "differs",
            "second",
        ]
    ]
    rows += [
        [
            shown(x.target), x.status, shown(x.source), *([str(x.count or 0), x.languages] if known else []), f"{x.share:.2f}",
            f"{x.distance:.2f}", x.features, shown(x.runner_up),
        ]
        for x in report.targets
        if x.status not in ("exact", "respelled")
    ]  # fmt: skip
    own = [shown(x.target) for x in report.targets if x.status in ("exact", "respelled")]
    far, gone = report.count("far"), report.count("unreachable")
    values = "".join(f" {name} {value:g}" for name, value in report.parameters.items())
    lines = [
        f"{inventory.title}: {len(report.targets)} phones; strategy {report.strategy}{values}, distance {report.metric}",
        f"the model has {len(own)} of them ({report.coverage:.0%}): {' '.join(own)}",
        *([columns(rows)] if len(rows) > 1 else []),
        f"{report.count('near')} near, {far} far, {gone} unreachable",
    ]
    if report.shared:
        pairs = "; ".join(
            f"{shown(source)} stands for {' '.join(map(shown, found))}" for source, found in report.shared
        )
        lines.append(f"hardly told apart: {pairs}")
    if report.lost:
        pairs = ", ".join(f"{shown(x)}→{shown(y)}" if y else f"{shown(x)} masked" for x, y in report.lost.items())
        lines.append(f"{len(report.lost)} phones of the model are not in the inventory: {pairs}")
    if report.unread:
        lines.append(f"symbols of the model that are no phones: {' '.join(map(shown, report.unread))}")
    if report.composed:
        lines.append(f"put together, as the features have no row: {' '.join(map(shown, report.composed))}")
    return "\n".join(lines)
