//! Requirements as bodies give them: `dkim`, `spf`, `dmarc`, `mx`, with the limits of design §6.

use utoipa::ToSchema;

use crate::http::field;
use crate::http::json::Fields;
use crate::http::openapi::words::PolicyWord;
use crate::protocol::name::Name;
use crate::service::requirements::{DmarcGiven, REPORT_URIS_MAX, RequirementsGiven, SpfGiven};
use crate::verify::expectation::{
    ADDRESSES_MAX, DkimExpectation, DkimKey, INCLUDES_MAX, MX_MAX, MxExpectation, SELECTORS_MAX,
};

/// One DKIM selector.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `dkim` reads; tests hold the two together")]
#[schema(as = DkimRequirement)]
pub(in crate::http) struct DkimSchema {
    /// The selector, without `._domainkey`.
    #[schema(example = "s1")]
    selector: String,
    /// The key that it must yield: base64 of a SubjectPublicKeyInfo, a PEM block, or a whole record.
    /// Give this or `cname`; with neither, any sound key will do.
    #[schema(min_length = 1, max_length = 8192)]
    public_key: Option<String>,
    /// The name that it must be an alias of.
    #[schema(example = "s1.dkim.example.net")]
    cname: Option<String>,
}

/// What the SPF record must do.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `spf` reads; tests hold the two together")]
#[schema(as = SpfRequirement)]
pub(in crate::http) struct SpfSchema {
    /// Domains whose SPF records must be included; at most 10.
    #[schema(example = json!(["_spf.example.net"]), max_items = 10)]
    includes: Option<Vec<String>>,
    /// Addresses that must pass; at most 32.
    #[schema(example = json!(["192.0.2.10"]), max_items = 32)]
    ips: Option<Vec<String>>,
}

/// What the DMARC policy must be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `dmarc` reads; tests hold the two together")]
#[schema(as = DmarcRequirement)]
pub(in crate::http) struct DmarcSchema {
    /// The record to publish where there is none.
    #[schema(example = "v=DMARC1; p=none", min_length = 1, max_length = 2048)]
    record: Option<String>,
    /// The weakest policy that will do: `none`, `quarantine` or `reject`.
    policy: Option<PolicyWord>,
    /// Where aggregate reports must go: a list of at most 10 URIs, `mailto:` or `https:`.
    #[schema(example = json!(["mailto:dmarc@example.com"]), max_items = 10)]
    rua: Option<Vec<String>>,
}

/// One mail exchange.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `mx` reads; tests hold the two together")]
#[schema(as = MxRequirement)]
pub(in crate::http) struct MxSchema {
    /// The host.
    #[schema(example = "mx1.example.net")]
    host: String,
    /// The lower is tried first.
    #[schema(example = 10)]
    preference: u16,
}

/// Takes the four requirements out of a body.
pub(in crate::http) fn requirements(fields: &mut Fields) -> RequirementsGiven {
    RequirementsGiven {
        dkim: fields.objects("dkim", SELECTORS_MAX, dkim),
        spf: fields.object("spf", |spf| {
            Some(SpfGiven {
                includes: spf.list("includes", INCLUDES_MAX, field::host),
                ips: spf.list("ips", ADDRESSES_MAX, field::address),
            })
        }),
        dmarc: fields.object("dmarc", |dmarc| {
            Some(DmarcGiven {
                record: dmarc.take("record", field::dmarc_record),
                policy: dmarc.take("policy", field::policy),
                rua: dmarc.list("rua", REPORT_URIS_MAX, field::report_uri),
            })
        }),
        mx: fields.objects("mx", MX_MAX, |mx| {
            let host = mx.need("host", field::host);
            let preference = mx.need("preference", field::preference);
            Some(MxExpectation { host: host?, preference: preference? })
        }),
    }
}

fn dkim(fields: &mut Fields) -> Option<DkimExpectation> {
    let selector = fields.need("selector", field::selector);
    let key = fields.take("public_key", field::public_key);
    let cname: Option<Name> = fields.take("cname", field::host);
    let key = match (key, cname) {
        (Some(_), Some(_)) => {
            fields.fault("cname", "cannot stand beside `public_key`: a CNAME has its target's key");
            return None;
        }
        (Some(key), None) => DkimKey::Key(key),
        (None, Some(target)) => DkimKey::Cname(target),
        (None, None) => DkimKey::Any,
    };
    Some(DkimExpectation { selector: selector?, key })
}
