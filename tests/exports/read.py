"""Reads an export with the tool that it is made for, and prints what the tool understood.

    read.py FORM FILE ZONE

One JSON list of records, each with name, type, ttl, priority and value. Whatever the tool refuses ends this with
its message and the exit code 1.
"""

import csv
import json
import logging
import re
import shutil
import sys
import tempfile
from pathlib import Path

import dns.rdata
import dns.zone


def record(name, record_type, ttl, value, priority=None):
    return {
        "name": name.rstrip("."),
        "type": record_type,
        "ttl": int(ttl),
        "priority": priority,
        "value": value if record_type == "TXT" else value.rstrip("."),
    }


def of_data(name, record_type, ttl, data):
    """A record of its value as a master file writes it."""
    rdata = dns.rdata.from_text("IN", record_type, data)
    if record_type == "TXT":
        return record(name, record_type, ttl, b"".join(rdata.strings).decode("ascii"))
    if record_type == "MX":
        return record(name, record_type, ttl, rdata.exchange.to_text(), rdata.preference)
    return record(name, record_type, ttl, rdata.target.to_text())


def read_bind(path, zone):
    read = dns.zone.from_text(path.read_text(), origin=zone, relativize=False)
    for name, ttl, rdata in read.iterate_rdatas():
        if rdata.rdtype.name not in ("SOA", "NS"):
            yield of_data(name.to_text(), rdata.rdtype.name, ttl, rdata.to_text())


def read_csv(path, zone):
    with path.open(newline="") as file:
        for row in csv.DictReader(file, strict=True):
            assert None not in row and None not in row.values(), f"a line of another length: {row}"
            priority = int(row["priority"]) if row["priority"] else None
            yield record(row["name"], row["type"], row["ttl"], row["value"], priority)


def octodns_zone(zone):
    from octodns.zone import Zone

    return Zone(f"{zone}.", [])


def read_octodns(path, zone):
    from octodns.manager import Manager
    from octodns.provider.yaml import YamlProvider

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / f"{zone}.yaml")
        provider = {"class": "octodns.provider.yaml.YamlProvider", "directory": folder, "escaped_semicolons": True}
        config = {"providers": {"config": provider}, "zones": {f"{zone}.": {"sources": ["config"], "targets": []}}}
        settings = Path(folder) / "settings.json"
        settings.write_text(json.dumps(config))
        # What `octodns-validate` does.
        Manager(str(settings)).validate_configs()
        filled = octodns_zone(zone)
        YamlProvider("config", folder, escaped_semicolons=True).populate(filled, lenient=False)
    for one in filled.records:
        for data in one.to_rrset().rdatas:
            yield of_data(one.fqdn, one._type, one.ttl, str(data))


def read_cloudflare(path, zone):
    from octodns_cloudflare import CloudflareProvider

    batch = json.loads(path.read_text())
    assert set(batch) == {"posts"}, batch.keys()
    provider = CloudflareProvider("cloudflare", token="unused")
    sets = {}
    for post in batch["posts"]:
        sets.setdefault((post["name"], post["type"]), []).append(post)
        data = post["content"] if post["type"] == "TXT" else f"{post['content']}."
        if post["type"] == "MX":
            data = f"{post['priority']} {data}"
        yield of_data(post["name"], post["type"], post["ttl"], data)
    filled = octodns_zone(zone)
    for (name, record_type), posts in sets.items():
        # Read as what the API would answer, and written as what octoDNS would ask of it.
        understood = provider._record_for(filled, filled.hostname_from_fqdn(name), record_type, posts, lenient=False)
        written = list(provider._gen_data(understood))
        key = lambda post: str(post["content"])
        for ours, theirs in zip(sorted(posts, key=key), sorted(written, key=key), strict=True):
            # octoDNS' reader takes no backslash off, and its hosts end in a dot, which Cloudflare takes off.
            if "\\" in str(ours["content"]):
                theirs["content"] = ours["content"]
            if record_type != "TXT":
                theirs["content"] = theirs["content"].rstrip(".")
            # Where a text is cut is Cloudflare's own affair; octoDNS counts its own backslashes.
            assert uncut(ours) == uncut(theirs), f"{ours} is not {theirs}"


def uncut(post):
    return {**post, "content": post["content"].replace('" "', "")}


def read_route53(path, zone):
    import botocore.session
    from botocore.validate import ParamValidator

    batch = json.loads(path.read_text())
    model = botocore.session.get_session().get_service_model("route53")
    shape = model.operation_model("ChangeResourceRecordSets").input_shape
    report = ParamValidator().validate({"HostedZoneId": "Z0", "ChangeBatch": batch}, shape)
    assert not report.has_errors(), report.generate_report()
    change = shape.members["ChangeBatch"].members["Changes"].member
    assert len(batch["Comment"]) <= shape.members["ChangeBatch"].members["Comment"].metadata["max"], batch["Comment"]
    seen = set()
    for one in batch["Changes"]:
        rrset = one["ResourceRecordSet"]
        # botocore leaves these to the service.
        assert one["Action"] in change.members["Action"].enum, one
        assert rrset["Type"] in change.members["ResourceRecordSet"].members["Type"].enum, one
        assert (rrset["Name"], rrset["Type"]) not in seen, f"two changes of one set: {one}"
        seen.add((rrset["Name"], rrset["Type"]))
        for value in rrset["ResourceRecords"]:
            assert len(value["Value"]) <= 4000, value
            yield of_data(rrset["Name"], rrset["Type"], rrset["TTL"], value["Value"])


def read_terraform(path, zone):
    import hcl2
    from hcl2 import SerializationOptions

    options = SerializationOptions(strip_string_quotes=True, with_comments=False, explicit_blocks=False)
    read = hcl2.loads(path.read_text(), serialization_options=options)
    (variable,) = [name for block in read["variable"] for name in block]
    labels = set()
    for block in read["resource"]:
        ((kind, labelled),) = block.items()
        ((label, resource),) = labelled.items()
        assert re.fullmatch(r"[a-z_][a-z0-9_-]*", label) and label not in labels, label
        labels.add(label)
        assert resource["zone_id"] == f"${{var.{variable}}}", resource
        texts = lambda name: plain(resource[name])
        name, record_type, ttl = texts("name"), texts("type"), resource["ttl"]
        if kind == "aws_route53_record":
            for value in map(plain, resource["records"]):
                # What the provider does to a text before it asks Route 53.
                yield of_data(name, record_type, ttl, f'"{value}"' if record_type == "TXT" else value)
        elif record_type == "TXT":
            yield of_data(name, record_type, ttl, texts("content"))
        else:
            yield record(name, record_type, ttl, texts("content"), resource.get("priority"))


def plain(text):
    """A string without templates: the parser leaves their escapes as they are."""
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", text), f"a template: {text}"
    return text.replace("$${", "${").replace("%%{", "%{")


def main():
    logging.disable(logging.WARNING)
    form, path, zone = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    read = globals()[f"read_{form}"]
    json.dump(list(read(path, zone)), sys.stdout)


main()
