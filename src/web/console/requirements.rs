//! What a domain must publish, as a form. Read by the same readers as `PATCH /v1/domains/{id}`, line by line.
//!
//! Only what was changed in the form is changed: the rest goes on following the provider's profile.

use std::str::FromStr;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use uuid::Uuid;

use crate::http::field;
use crate::service::console::Session;
use crate::service::domains::{DomainPatch, DomainView};
use crate::service::requirements::{
    DmarcGiven, ExpectationFault, RequirementsGiven, SpfGiven, domain_of, expectation_of,
};
use crate::service::{Error, FieldFault};
use crate::verify::expectation::{DkimExpectation, DkimKey, Expectation, MxExpectation};
use crate::web::console::act::{Act, act, nothing};
use crate::web::console::actions::back;
use crate::web::console::posted::{Form, Posted};
use crate::web::console::refusal::{At, Refusal};
use crate::web::console::session::SignedIn;
use crate::web::console::{Console, Frame, Part};
use crate::web::page::Page;
use crate::web::shown::plain;

/// The most lines of one field that are read: more than any list may hold.
const LINES_MAX: usize = 64;

#[derive(Template)]
#[template(path = "console/requirements.html")]
struct RequirementsPage {
    frame: Frame,
    id: Uuid,
    domain: String,
    typed: Typed,
    faults: Vec<FieldFault>,
    policies: [&'static str; 3],
}

impl RequirementsPage {
    /// What is wrong with a field.
    fn faults_of(&self, pointer: &str) -> Vec<&FieldFault> {
        self.faults.iter().filter(|fault| fault.pointer.starts_with(pointer)).collect()
    }

    /// What is wrong with no field of the form.
    fn other_faults(&self) -> Vec<&FieldFault> {
        let known = ["/spf/includes", "/spf/ips", "/dkim", "/mx", "/dmarc"];
        self.faults.iter().filter(|fault| !known.iter().any(|known| fault.pointer.starts_with(known))).collect()
    }
}

/// The fields as text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Typed {
    includes: String,
    ips: String,
    dkim: String,
    mx: String,
    policy: String,
    record: String,
    rua: String,
    bind: bool,
}

impl Typed {
    /// What is required now.
    fn of(expectation: &Expectation) -> Typed {
        let dkim = expectation.dkim.iter().map(|DkimExpectation { selector, key }| match key {
            DkimKey::Any => selector.to_string(),
            DkimKey::Cname(target) => format!("{selector} cname {target}"),
            DkimKey::Key(key) => format!("{selector} key {}", key.to_record_value()),
        });
        let mx = expectation.mx.iter().map(|MxExpectation { host, preference }| format!("{preference} {host}"));
        Typed {
            includes: joined(expectation.spf.includes.iter()),
            ips: joined(expectation.spf.addresses.iter()),
            dkim: joined(dkim),
            mx: joined(mx),
            policy: expectation.dmarc.policy.map(|policy| policy.as_str().to_owned()).unwrap_or_default(),
            record: expectation.dmarc.record.as_ref().map(|record| record.render()).unwrap_or_default(),
            rua: joined(expectation.dmarc.rua.iter()),
            bind: false,
        }
    }

    /// What was typed.
    fn in_form(form: &Form) -> Typed {
        let text = |name| joined(form.text(name).lines().map(str::trim).filter(|line| !line.is_empty()));
        Typed {
            includes: text("includes"),
            ips: text("ips"),
            dkim: text("dkim"),
            mx: text("mx"),
            policy: text("policy"),
            record: text("record"),
            rua: text("rua"),
            bind: form.text("bind") == "yes",
        }
    }

    /// What of it is other than it was, read.
    fn changed(&self, before: &Typed) -> Result<RequirementsGiven, Vec<FieldFault>> {
        let mut read = Read(Vec::new());
        let given = RequirementsGiven {
            dkim: read.list("/dkim", &self.dkim, &before.dkim, dkim),
            spf: {
                let includes =
                    read.list("/spf/includes", &self.includes, &before.includes, |line| text(line, field::host));
                let ips = read.list("/spf/ips", &self.ips, &before.ips, |line| text(line, field::address));
                (includes.is_some() || ips.is_some()).then_some(SpfGiven { includes, ips })
            },
            dmarc: {
                let policy = read.one("/dmarc/policy", &self.policy, &before.policy, |line| text(line, field::policy));
                let record =
                    read.one("/dmarc/record", &self.record, &before.record, |line| text(line, field::dmarc_record));
                let rua = read.list("/dmarc/rua", &self.rua, &before.rua, |line| text(line, field::report_uri));
                let is_given = policy.is_some() || record.is_some() || rua.is_some();
                is_given.then_some(DmarcGiven { record, policy, rua })
            },
            mx: read.list("/mx", &self.mx, &before.mx, mx),
        };
        if read.0.is_empty() { Ok(given) } else { Err(read.0) }
    }
}

fn joined(lines: impl Iterator<Item = impl ToString>) -> String {
    lines.map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
}

/// What was wrong so far.
struct Read(Vec<FieldFault>);

impl Read {
    fn list<T>(
        &mut self,
        pointer: &str,
        typed: &str,
        before: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        if typed == before {
            return None;
        }
        let mut items = Vec::new();
        for (index, line) in typed.lines().enumerate() {
            if index >= LINES_MAX {
                self.fault(pointer, format!("has more than {LINES_MAX} lines"));
                break;
            }
            match read(line) {
                Ok(item) => items.push(item),
                Err(detail) => self.fault(pointer, format!("line {}: {detail}", index + 1)),
            }
        }
        Some(items)
    }

    fn one<T>(
        &mut self,
        pointer: &str,
        typed: &str,
        before: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if typed == before {
            return None;
        }
        if typed.is_empty() {
            self.fault(pointer, "can be changed, but not taken away".to_owned());
            return None;
        }
        read(typed).map_err(|detail| self.fault(pointer, detail)).ok()
    }

    fn fault(&mut self, pointer: &str, detail: String) {
        self.0.push(FieldFault { pointer: pointer.to_owned(), detail });
    }
}

fn text<T>(line: &str, read: impl Fn(Value) -> Result<T, String>) -> Result<T, String> {
    read(Value::String(line.to_owned()))
}

/// A selector; `SELECTOR cname NAME`; or `SELECTOR key KEY`.
fn dkim(line: &str) -> Result<DkimExpectation, String> {
    let (selector, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let key = match rest.trim().split_once(char::is_whitespace) {
        None if rest.trim().is_empty() => DkimKey::Any,
        Some(("cname", target)) => DkimKey::Cname(text(target, field::host)?),
        Some(("key", key)) => DkimKey::Key(text(key, field::public_key)?),
        _ => return Err("must be a selector, `SELECTOR cname NAME` or `SELECTOR key KEY`".to_owned()),
    };
    Ok(DkimExpectation { selector: text(selector, field::selector)?, key })
}

/// `PREFERENCE HOST`.
fn mx(line: &str) -> Result<MxExpectation, String> {
    let wanted = || "must be a preference and a host, such as 10 mx1.example.net".to_owned();
    let (preference, host) = line.split_once(char::is_whitespace).ok_or_else(wanted)?;
    let preference = field::preference(u64::from_str(preference).map_err(|_| wanted())?.into())?;
    Ok(MxExpectation { host: text(host.trim(), field::host)?, preference })
}

/// What is required of a domain now.
fn wanted(console: &Console, view: &DomainView) -> Result<Expectation, Refusal> {
    match expectation_of(&view.row, &console.service.settings().profiles) {
        Ok((expectation, _)) => Ok(expectation),
        Err(fault) => match (fault, domain_of(&view.row.domain)) {
            // A later release wrote them; what is saved here stands in their place.
            (ExpectationFault::Unreadable(_), Ok(domain)) => Ok(Expectation::soundness_of(domain)),
            (fault, _) => Err(Refusal::Fault(Error::DomainMalformed(fault.to_string()))),
        },
    }
}

/// `GET /domains/{id}/requirements`.
pub(super) async fn form(
    State(console): State<Console>,
    SignedIn(session): SignedIn,
    At(id): At<Uuid>,
) -> Result<Response, Refusal> {
    let view = console.service.domain_get(&session.caller, id).await?;
    let typed = Typed::of(&wanted(&console, &view)?);
    Ok(page(StatusCode::OK, &session, &view, typed, Vec::new()))
}

/// `POST /domains/{id}/requirements`.
pub(super) async fn change(
    State(console): State<Console>,
    At(id): At<Uuid>,
    posted: Posted,
) -> Result<Response, Refusal> {
    let service = &console.service;
    let view = service.domain_get(&posted.session.caller, id).await?;
    let typed = Typed::in_form(&posted.form);
    let given = match typed.changed(&Typed::of(&wanted(&console, &view)?)) {
        Ok(given) => given,
        Err(faults) => return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &posted.session, &view, typed, faults)),
    };
    if given.is_empty() && !typed.bind {
        return Ok(back(id, "unchanged"));
    }
    let patch = DomainPatch { requirements: given, bind: typed.bind, ..DomainPatch::default() };
    let what = Act { operation: "domain_change", domain_id: Some(id) };
    let change = service.domain_change(&posted.session.caller, id, &patch);
    match act(service, &posted, what, change, nothing).await {
        Ok(_) => Ok(back(id, "requirements")),
        Err(Refusal::Fault(Error::Invalid(faults))) => {
            Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &posted.session, &view, typed, faults))
        }
        Err(refusal) => Err(refusal),
    }
}

fn page(status: StatusCode, session: &Session, view: &DomainView, typed: Typed, faults: Vec<FieldFault>) -> Response {
    let page = RequirementsPage {
        frame: Frame::of(session, Part::Domains),
        id: view.row.id,
        domain: plain(view.domain_unicode.as_deref().unwrap_or(&view.row.domain), 253),
        typed,
        faults,
        policies: ["none", "quarantine", "reject"],
    };
    Page(status, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::domain::Domain;

    fn nothing() -> Typed {
        Typed::of(&Expectation::soundness_of(Domain::parse("example.com").unwrap()))
    }

    #[test]
    fn what_is_as_it_was_is_not_given() {
        assert_eq!(nothing().changed(&nothing()), Ok(RequirementsGiven::default()));
        let typed = Typed { dkim: "s1\ns2 cname s2.mail.example".to_owned(), ..nothing() };
        let given = typed.changed(&nothing()).unwrap();
        assert_eq!(given.dkim.as_ref().map(Vec::len), Some(2));
        assert_eq!((given.spf, given.dmarc, given.mx), (None, None, None));
        assert_eq!(typed.changed(&typed), Ok(RequirementsGiven::default()));
        assert_eq!(nothing().changed(&typed).unwrap().dkim, Some(Vec::new()), "taken away");
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let typed = Typed {
            includes: "_spf.example.net\nnonsense".to_owned(),
            ips: "192.0.2.1/24".to_owned(),
            dkim: "s1 what".to_owned(),
            mx: "ten mx.example.net".to_owned(),
            policy: "strict".to_owned(),
            record: "v=spf1".to_owned(),
            rua: "dmarc@example.com".to_owned(),
            ..nothing()
        };
        let faults = typed.changed(&nothing()).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            ["/dkim", "/spf/includes", "/spf/ips", "/dmarc/policy", "/dmarc/record", "/dmarc/rua", "/mx"]
        );
        assert!(faults.iter().any(|fault| fault.detail.starts_with("line 2: must be a full host name")), "{faults:?}");
        let typed = Typed { policy: "none".to_owned(), ..nothing() };
        assert_eq!(nothing().changed(&typed).unwrap_err().len(), 1, "a policy cannot be taken away");
    }
}
