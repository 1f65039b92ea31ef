//! Resources for Terraform and OpenTofu, of the provider `hashicorp/aws` or `cloudflare/cloudflare` (5 or later).
//!
//! The zone's id is a variable named after the domain, so that files of several domains stand in one module. The
//! providers of a module are declared once, so not here. What is in place is a comment: Terraform would have to be told
//! to import it.

use std::collections::BTreeSet;

use crate::http::export::sets::{Publishable, RecordSet, Wanted};
use crate::http::export::{cloudflare, line, route53};
use crate::protocol::name::Name;
use crate::verify::evidence::RecordType;
use crate::verify::purpose::Action;
use crate::verify::report::Report;

/// Whose resources they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerraformProvider {
    /// `aws_route53_record`: one resource a set, made only where none is there.
    Aws,
    /// `cloudflare_dns_record`: one resource a record.
    Cloudflare,
}

/// The resources, and a comment for whatever is not one.
pub fn terraform(report: &Report, provider: TerraformProvider) -> String {
    let Wanted { sets, left_out } = Wanted::of(report);
    let mut file = File {
        out: String::new(),
        labels: BTreeSet::new(),
        zone_id: format!("zone_id_{}", label_of(report.domain.name())),
    };
    let source = match provider {
        TerraformProvider::Aws => "hashicorp/aws",
        TerraformProvider::Cloudflare => "cloudflare/cloudflare, version 5 or later",
    };
    file.line(&format!("# records of {}, for the provider {source}", report.domain));
    for why in left_out {
        file.line(&format!("# {why}"));
    }
    let what = format!("The id of the zone {}", report.zone);
    let attributes = [("description", quoted(&what)), ("type", "string".to_owned())];
    file.block(&format!("variable {}", quoted(&file.zone_id)), &attributes);
    for set in &sets {
        match provider {
            TerraformProvider::Aws => file.aws(set),
            TerraformProvider::Cloudflare => set.records.iter().for_each(|one| file.cloudflare(set, one)),
        }
    }
    file.out
}

/// A file as it grows.
struct File {
    out: String,
    /// The labels that resources have so far.
    labels: BTreeSet<String>,
    /// The name of the variable with the zone's id.
    zone_id: String,
}

impl File {
    fn line(&mut self, text: &str) {
        line(&mut self.out, text);
    }

    /// A block with its attributes, as `terraform fmt` aligns them.
    fn block(&mut self, head: &str, attributes: &[(&str, String)]) {
        let width = attributes.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        self.line(&format!("{head} {{"));
        for (name, value) in attributes {
            self.line(&format!("  {name:width$} = {value}"));
        }
        self.line("}");
    }

    /// A label that no other resource has: labels of `a.b` and `a_b` would be one.
    fn label(&mut self, set: &RecordSet<'_>) -> String {
        let plain = format!("{}_{}", set.record_type.as_str().to_ascii_lowercase(), label_of(set.name));
        let mut label = plain.clone();
        let mut count = 1;
        while !self.labels.insert(label.clone()) {
            count += 1;
            label = format!("{plain}_{count}");
        }
        label
    }

    /// Name, type, and time to live, which every resource has.
    fn common(&self, set: &RecordSet<'_>) -> Vec<(&'static str, String)> {
        vec![
            ("zone_id", format!("var.{}", self.zone_id)),
            ("name", quoted(&set.name.to_string())),
            ("type", quoted(set.record_type.as_str())),
            ("ttl", set.ttl_seconds.to_string()),
        ]
    }

    /// One resource for the set. Without `allow_overwrite` it is made only where nothing is there.
    fn aws(&mut self, set: &RecordSet<'_>) {
        self.line("");
        if set.is_in_place() {
            self.line(&format!("# {} is left out: it is in place", set.title()));
            return;
        }
        let label = self.label(set);
        let mut attributes = self.common(set);
        let values: Vec<String> = set.records.iter().map(|one| quoted(&aws_value(one))).collect();
        attributes.push(("records", format!("[{}]", values.join(", "))));
        match (set.is_alone(), set.is_there() || set.replaces()) {
            (true, true) => {
                self.line("# in place of the one that is there");
                attributes.push(("allow_overwrite", "true".to_owned()));
            }
            (false, true) => {
                self.line("# A set is there: add its other values here, and import it before the first apply:");
                let id = format!("<zone id>_{}_{}", set.name, set.record_type);
                self.line(&format!("#   terraform import aws_route53_record.{label} '{id}'"));
            }
            (false, false) if set.is_unchecked() => {
                self.line(
                    "# This is the whole set: if one is there already, add its other values here, and import it.",
                );
            }
            _ => {}
        }
        self.block(&format!("resource \"aws_route53_record\" {}", quoted(&label)), &attributes);
    }

    /// One resource for the record.
    fn cloudflare(&mut self, set: &RecordSet<'_>, one: &Publishable<'_>) {
        self.line("");
        match one.record.action {
            Action::Keep => {
                self.line(&format!("# {} is left out: {} is in place", set.title(), one.data()));
                return;
            }
            Action::Replace => self.line("# In place of the one that is there: delete that one, or import it."),
            Action::Add => {}
        }
        let label = self.label(set);
        let mut attributes = self.common(set);
        attributes.push(("content", quoted(&cloudflare::content(one))));
        match set.record_type {
            RecordType::Mx => attributes.push(("priority", one.preference().to_string())),
            RecordType::Cname => attributes.push(("proxied", "false".to_owned())),
            _ => {}
        }
        self.block(&format!("resource \"cloudflare_dns_record\" {}", quoted(&label)), &attributes);
    }
}

/// A value as the AWS provider wants it: it sets the outer quotes of a text itself, and those between its strings are ours.
fn aws_value(one: &Publishable<'_>) -> String {
    match one.record.record_type {
        RecordType::Txt => route53::strings(one.value).join("\"\""),
        _ => route53::value(one),
    }
}

/// A name as part of an identifier: it has letters, digits, underscores and hyphens already, and dots.
fn label_of(name: &Name) -> String {
    name.to_string().replace('.', "_")
}

/// A string of HCL's. `${` and `%{` begin a template, and doubling the first character makes them plain; where
/// it stands doubled already, its code does.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '$' | '%' if rest.peek() == Some(&'{') => match before {
                Some(other) if other == character => out.push_str(&format!("\\u{:04x}", u32::from(character))),
                _ => out.extend([character, character]),
            },
            _ if character.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
        before = Some(character);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::export::samples;
    use crate::verify::purpose::Purpose;
    use crate::verify::report::RecordReport;

    #[test]
    fn resources_for_route_53() {
        let expected = r#"# records of example.com, for the provider hashicorp/aws
# dkim (TXT at s3._domainkey.example.com) is left out: nothing is required here; your mail provider knows the value
variable "zone_id_example_com" {
  description = "The id of the zone example.com"
  type        = string
}

# This is the whole set: if one is there already, add its other values here, and import it.
resource "aws_route53_record" "txt_example_com" {
  zone_id = var.zone_id_example_com
  name    = "example.com"
  type    = "TXT"
  ttl     = 3600
  records = ["v=spf1 exists:%%{i}.example.net -all"]
}

resource "aws_route53_record" "cname_s2__domainkey_example_com" {
  zone_id = var.zone_id_example_com
  name    = "s2._domainkey.example.com"
  type    = "CNAME"
  ttl     = 3600
  records = ["s2.example.net."]
}

# CNAME at s4._domainkey.example.com is left out: it is in place

# in place of the one that is there
resource "aws_route53_record" "txt__dmarc_example_com" {
  zone_id         = var.zone_id_example_com
  name            = "_dmarc.example.com"
  type            = "TXT"
  ttl             = 3600
  records         = ["v=DMARC1; p=none"]
  allow_overwrite = true
}

resource "aws_route53_record" "mx_example_com" {
  zone_id = var.zone_id_example_com
  name    = "example.com"
  type    = "MX"
  ttl     = 3600
  records = ["10 mx1.example.net.", "20 mx2.example.net."]
}
"#;
        assert_eq!(terraform(&samples::motley(), TerraformProvider::Aws), expected);
    }

    #[test]
    fn resources_for_cloudflare() {
        let made = terraform(&samples::motley(), TerraformProvider::Cloudflare);
        for part in [
            "# records of example.com, for the provider cloudflare/cloudflare, version 5 or later\n",
            "  content = \"\\\"v=spf1 exists:%%{i}.example.net -all\\\"\"\n}\n",
            "  content = \"s2.example.net\"\n  proxied = false\n}\n",
            "# CNAME at s4._domainkey.example.com is left out: s4.example.net. is in place\n",
            "# In place of the one that is there: delete that one, or import it.\nresource \"cloudflare_dns_record\" \"txt__dmarc",
            "\"mx_example_com\" {\n",
            "\"mx_example_com_2\" {\n",
            "  content  = \"mx2.example.net\"\n  priority = 20\n}\n",
        ] {
            assert!(made.contains(part), "{part} is not in {made}");
        }
    }

    #[test]
    fn a_set_that_is_there_is_to_be_imported() {
        let spf = samples::txt(Purpose::Spf, "example.com", "v=spf1 -all");
        let spf = RecordReport { action: Action::Replace, found: vec!["v=spf1 mx".to_owned()], ..spf };
        let made = terraform(&samples::report(vec![spf]), TerraformProvider::Aws);
        assert!(made.contains("import aws_route53_record.txt_example_com '<zone id>_example.com_TXT'"), "{made}");
        assert!(!made.contains("allow_overwrite"), "{made}");
    }

    #[test]
    fn labels_are_told_apart() {
        let report = samples::report(vec![
            samples::cname("a.b._domainkey.example.com", "x.example.net"),
            samples::cname("a_b._domainkey.example.com", "y.example.net"),
        ]);
        let made = terraform(&report, TerraformProvider::Aws);
        assert!(made.contains("\"cname_a_b__domainkey_example_com\" {"), "{made}");
        assert!(made.contains("\"cname_a_b__domainkey_example_com_2\" {"), "{made}");
    }

    /// What HCL reads in a quoted string; panics where a template begins.
    fn read(text: &str) -> String {
        let mut rest = text.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        let mut out = String::new();
        while let Some(next) = rest.chars().next() {
            if let Some(behind) = rest.strip_prefix("\\u") {
                out.push(char::from_u32(u32::from_str_radix(&behind[..4], 16).unwrap()).unwrap());
                rest = &behind[4..];
                continue;
            }
            if let Some(behind) = rest.strip_prefix("$${").or(rest.strip_prefix("%%{")) {
                out.extend([next, '{']);
                rest = behind;
                continue;
            }
            assert!(!rest.starts_with("${") && !rest.starts_with("%{"), "a template begins: {rest}");
            rest = &rest[next.len_utf8()..];
            if next == '\\' {
                let behind = rest.chars().next().unwrap();
                assert!("\"\\".contains(behind), "{rest}");
                out.push(behind);
                rest = &rest[1..];
            } else {
                out.push(next);
            }
        }
        out
    }

    /// The string behind the last `name = ` of a file, without brackets.
    fn attribute(made: &str, name: &str) -> String {
        let line = made.lines().rfind(|line| line.trim_start().starts_with(name)).unwrap();
        let (_, text) = line.split_once(" = ").unwrap();
        read(text.trim_start_matches('[').trim_end_matches(']'))
    }

    #[test]
    fn templates_are_plain_text() {
        for text in ["${x}", "%{i}", "$${x}", "%%{i}", "$$${x}", "$%{x}", "a\u{7}\n", "\"\\"] {
            assert_eq!(read(&quoted(text)), text);
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_through(value in "(\\PC|[$%]{1,3}\\{|[\"\\\\]){1,400}") {
            let report = samples::one_text(&value);
            let aws = attribute(&terraform(&report, TerraformProvider::Aws), "records");
            prop_assert_eq!(samples::unquoted(&format!("\"{aws}\""), 8), value.as_bytes());
            let cloudflare = attribute(&terraform(&report, TerraformProvider::Cloudflare), "content");
            prop_assert_eq!(samples::unquoted(&cloudflare, 10), value.as_bytes());
        }
    }
}
