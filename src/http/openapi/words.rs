//! Fields and parameters that hold one of few words. The words come from where they are read, so that none is forgotten here.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::protocol::dmarc::Policy;
use crate::sending::tier::Tier;
use crate::verify::purpose::Purpose;
use crate::verify::standing::Status;
use crate::webhook::event::Kind;

/// Declares types that only stand for their words in schemas: name there, what it is, an example, the words.
macro_rules! words {
    ($($name:ident, $shown:literal, $what:literal, $example:literal, $words:expr;)*) => { $(
        #[doc = $what]
        pub(in crate::http) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                one_of($what, $example, $words.into_iter().collect())
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($shown)
            }
        }
    )* };
}

words! {
    TierWord, "TierName", "A client's tier", "velocity", Tier::ALL.map(Tier::as_str);
    StatusWord, "DomainStatus", "How a domain stands", "active", Status::ALL.map(Status::as_str);
    OperatorStatusWord, "OperatorStatus", "What an operator may set a domain's status to", "suspended",
        ["active", "suspended"];
    FailingWord, "Failing", "What of a domain fails", "any", Purpose::ALL.map(Purpose::as_str).into_iter().chain(["any"]);
    PolicyWord, "DmarcPolicyName", "A DMARC policy", "none",
        [Policy::None, Policy::Quarantine, Policy::Reject].map(Policy::as_str);
    EventWord, "EventType", "A type of events", "domain.verified", Kind::ALL.map(Kind::as_str);
}

fn one_of(what: &str, example: &'static str, words: Vec<&'static str>) -> RefOr<Schema> {
    let shown = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(format!("{what}: {shown}.")));
    text.examples([example]).enum_values(Some(words)).into()
}
