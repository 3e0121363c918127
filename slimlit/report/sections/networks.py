"""Teacher and student: what they are made of, side by side."""

from slimlit.report.html import Html, Part, facts, table, tag
from slimlit.report.metrics import count, size
from slimlit.report.networks import Network, described, read_network
from slimlit.report.reading import Found, dig
from slimlit.report.relatives import made_of, model_folder, teacher_source


def show_networks(found: Found) -> Html | None:
    """Architecture, layers, widths, parameters and bytes; and what the student learned by."""
    model = dig(found.config, "model", "init_args") or {}
    networks = {"teacher": teacher_network(found), "student": student_network(found)}
    shown = {name: network for name, network in networks.items() if network is not None}
    source = teacher_source(found)
    said: list[tuple[str, Part]] = [
        ("task", described({"class_path": dig(found.config, "model", "class_path")})),
        ("teacher", source or described(model.get("teacher"))),
        ("student", described(model.get("student"))),
        ("starts from", made_of(found)),
        ("loss", described(model.get("loss"))),
        ("optimizer", described(model.get("optimizer"))),
    ]
    listed = [(name, value) for name, value in said if value]
    if not listed and not shown:
        return None
    compared = _compared(shown) if shown else None
    return tag("div", tag("div", facts(listed)), tag("div", compared) if compared else None, class_="columns")


def teacher_network(found: Found) -> Network | None:
    """The teacher as its files describe it, where they are on this machine."""
    folder = model_folder(found, teacher_source(found))
    return read_network(folder) if folder else None


def student_network(found: Found) -> Network | None:
    """The finished student."""
    return read_network(found.run.student)


def _compared(networks: dict[str, Network]) -> Html:
    names = dict.fromkeys(name for network in networks.values() for name in network.sizes)
    rows: list[list[Part]] = [["architecture", *(one.architecture for one in networks.values())]]
    if any(one.pooling for one in networks.values()):
        rows.append(["pooling", *(one.pooling or "-" for one in networks.values())])
    rows += [[name, *(_number(one.sizes.get(name)) for one in networks.values())] for name in names]
    rows.append(["parameters", *(_number(one.parameters) for one in networks.values())])
    rows.append(["weights on disk", *(size(one.num_bytes) if one.num_bytes else "-" for one in networks.values())])
    head = ["", *networks]
    if len(networks) == 2:
        head.append("student / teacher")
        teacher, student = networks["teacher"], networks["student"]
        pairs = [(teacher.sizes.get(name), student.sizes.get(name)) for name in names]
        pairs += [(teacher.parameters, student.parameters), (teacher.num_bytes, student.num_bytes)]
        ratios = [f"{100 * mine / theirs:.1f} %" if mine and theirs else "-" for theirs, mine in pairs]
        for row, ratio in zip(rows, [""] * (len(rows) - len(ratios)) + ratios, strict=True):
            row.append(ratio)
    return table("Teacher and student" if len(networks) == 2 else f"The {next(iter(networks))}", head, rows)


def _number(value: int | None) -> str:
    return "-" if value is None else count(value) if value >= 1e6 else f"{value:,}"
