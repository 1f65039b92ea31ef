//! `records --export` from outside: each form, what it leaves out, and where that is said.

mod real;

use serde_json::Value;

use crate::process::run;

/// What is expected of a domain in a zone of the name of `mail.`'s rest: one selector without a key, so without a value.
const ARGUMENTS: [&str; 9] = [
    "records",
    "mail.bücher.example",
    "--spf-include",
    "_spf.provider.test",
    "--dkim",
    "s1=cname:s1.provider.test",
    "--dkim",
    "s2",
    "--mx",
];

/// Standard output and standard error of the export.
#[track_caller]
fn export(form: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&ARGUMENTS[..], &["mx1.provider.test", "--mx", "mx2.provider.test", "--export"], form].concat();
    let output = run(folder.path(), &arguments, &[], "");
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{form:?}: {out}{err}");
    (out, err)
}

const LEFT_OUT: &str = "dkim (TXT at s2._domainkey.mail.xn--bcher-kva.example) is left out: nothing is required here; your \
                        mail provider knows the value";

/// JSON has no comments: standard error says it.
#[test]
fn a_batch_stands_alone_on_standard_output() {
    for (form, changes) in [("cloudflare", "posts"), ("route53", "Changes")] {
        let (out, err) = export(&[form]);
        let body: Value = serde_json::from_str(&out).unwrap();
        assert!(body[changes].as_array().is_some_and(|all| all.len() >= 3), "{form}: {out}");
        assert!(err.contains(&format!("sendready: {LEFT_OUT}\n")), "{form}: {err}");
        assert!(err.contains("sendready: nobody has looked at what is published"), "{form}: {err}");
    }
}

#[test]
fn a_file_says_itself_what_is_not_in_it() {
    for form in [&["octodns"][..], &["terraform"], &["terraform", "--terraform-provider", "cloudflare"]] {
        let (out, err) = export(form);
        assert!(out.contains(&format!("# {LEFT_OUT}\n")), "{form:?}: {out}");
        assert_eq!(err, "", "{form:?}");
    }
}

#[test]
fn names_are_as_each_form_wants_them() {
    let check = |form: &[&str], part: &str| {
        let (out, _) = export(form);
        assert!(out.contains(part), "{form:?}: {part} is not in {out}");
    };
    check(&["bind"], "\ns1._domainkey.mail\t3600\tIN\tCNAME\ts1.provider.test.\n");
    check(&["csv"], "\r\nmx,MX,mail,mail.xn--bcher-kva.example,mx2.provider.test,20,3600,add,unchecked\r\n");
    check(&["cloudflare"], "\"name\": \"s1._domainkey.mail.xn--bcher-kva.example\"");
    check(&["route53"], "\"Name\": \"s1._domainkey.mail.xn--bcher-kva.example.\"");
    check(&["octodns"], "\n\"s1._domainkey.mail\":\n  ttl: 3600\n  type: CNAME\n  value: \"s1.provider.test.\"\n");
    check(&["terraform"], "resource \"aws_route53_record\" \"cname_s1__domainkey_mail_xn--bcher-kva_example\" {");
    check(&["terraform", "--terraform-provider", "cloudflare"], "resource \"cloudflare_dns_record\" \"mx_mail_xn--");
}
