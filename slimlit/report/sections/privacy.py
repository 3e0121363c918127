"""What the run owes to which data, in the ledger's own words, and what attacks on it found."""

from typing import Any

from slimlit.privacy.ledger import shown
from slimlit.report.html import Html, Part, details, facts, join, quoted, table, tag
from slimlit.report.markdown import as_html
from slimlit.report.reading import Found, dig, number
from slimlit.report.sections.pictures import picture


def show_privacy(found: Found) -> Html | None:
    """The ledger and the audit."""
    parts = [_ledger(found), _audit(found)]
    return join(parts) if any(parts) else None


def guarantee(found: Found) -> tuple[str, str] | None:
    """What the ledger says of the training texts, at its worst, and of what else; None without a ledger."""
    costs = [one for one in (found.ledger or {}).get("data") or [] if isinstance(one, dict)]
    chosen = [one for one in costs if one.get("split") == "validation"]
    trained = [one for one in costs if one not in chosen]
    if not trained:
        return None
    note = "; those it was chosen by have none" if any(number(one.get("epsilon")) is None for one in chosen) else ""
    worst = [value for one in trained if (value := number(one.get("epsilon"))) is not None]
    if len(worst) < len(trained):
        return "none", ""
    return f"ε {shown(max(worst))}", f"of the training texts{note}"


def _ledger(found: Found) -> Html | None:
    if not found.ledger:
        return None
    cards = [_card(found.ledger, one) for one in found.ledger.get("data") or [] if isinstance(one, dict)]
    notes = [tag("li", quoted(str(note))) for note in found.ledger.get("notes") or []]
    return join(
        [
            tag("div", *cards, class_="costs") if cards else tag("p", "No data is named in the ledger."),
            tag("h3", "Not covered") if notes else None,
            tag("ul", *notes) if notes else None,
            details("the privacy statement that goes with the model", as_html(found.statement))
            if found.statement
            else None,
        ]
    )


def _card(ledger: dict[str, Any], cost: dict[str, Any]) -> Html:
    value, delta = number(cost.get("epsilon")), number(cost.get("delta"))
    names = [str(one) for one in cost.get("stages") or []]
    stages = [one for one in ledger.get("stages") or [] if f"{dig(one, 'kind')} of {dig(one, 'run')}" in names]
    plain = [one for one in stages if dig(one, "steps") is None and dig(one, "data") is not None]
    said: list[tuple[str, Part]] = [
        ("texts", f"{cost.get('split')} of {cost.get('source')}"),
        ("units", f"{number(cost.get('num_units')) or 0:,.0f}, one is one {cost.get('unit')}"),
        ("used by", "; ".join(names)),
    ]
    if value is None:
        why = dict.fromkeys(f"{dig(one, 'kind')} of {dig(one, 'run')}: {dig(one, 'why')}" for one in plain)
        said.append(("missing", join(tag("p", quoted(one)) for one in why)))
    head = "No guarantee" if value is None else f"ε {shown(value)}" + (f" at δ {delta:.3g}" if delta else "")
    note = (
        "epsilon is infinite"
        if value is None
        else f"with or without any one {cost.get('unit')}, no set of models is more than exp(ε) times as likely to come out, "
        "but for a probability of δ"
    )
    return tag(
        "article",
        tag("h3", head),
        tag("p", note, class_="muted"),
        facts(said),
        class_="open" if value is None else "kept",
    )


def _audit(found: Found) -> Html | None:
    audit = found.reports.get("audit")
    if not audit:
        return None
    bound, claim = dig(audit, "epsilon is at least", "epsilon"), number(audit.get("claimed epsilon"))
    claimed = "no epsilon is claimed" if claim is None else f"epsilon {shown(claim)} is claimed"
    if audit.get("the claim is refuted"):
        verdict = f"The claim is refuted: epsilon is at least {number(bound):.2f}, and {claimed}."
    elif number(bound) is None:
        verdict = f"No bound on epsilon was found without canaries; {claimed}."
    else:
        verdict = f"Attacks show that epsilon is at least {number(bound):.2f}; {claimed}."
    attacks = [(name, one) for name, one in (audit.get("attacks") or {}).items() if isinstance(one, dict)]
    rows: list[list[Part]] = []
    for name, one in attacks:
        low, high = one.get("auc interval") or (None, None)
        between = f"{number(low):.3f} to {number(high):.3f}" if number(low) is not None else "-"
        rows.append(
            [
                name,
                f"{number(one.get('auc')):.3f}",
                between,
                f"{number(one.get('advantage')):+.3f}",
                f"{one.get('members'):,}",
            ]
        )
    notes = [tag("p", str(note), class_="muted") for note in audit.get("notes") or []]
    return join(
        [
            tag("h3", "What attacks found"),
            tag("p", verdict, class_="refuted" if audit.get("the claim is refuted") else "verdict"),
            table(
                "Attacks: 0.5 is a coin, 1 tells every member", ["attack", "AUC", "95 %", "advantage", "members"], rows
            )
            if rows
            else None,
            *notes,
            picture(found.pictures["audit"], "attacks: members found against false alarms")
            if "audit" in found.pictures
            else None,
        ]
    )
