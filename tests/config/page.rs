//! `docs/configuration.md`, from the table of keys.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use sendready::config::keys::{KEYS, Key, PROVIDER_KEYS, Reader};

/// What stands before the keys.
const HEAD: &str = "\
# Configuration

<!-- Made from `src/config/keys.rs` by `UPDATE_DOCS=1 cargo test configuration_page`; a test keeps it fresh. -->

A setting comes from a flag, else from the environment, else from the TOML file named by `--config FILE`, else it has
its default. All faults are reported at once, each with its key, where it was given and what would be right; unknown
keys are faults. Passwords and secrets never print.

* **Environment.** `dns.timeout` is `SENDREADY_DNS__TIMEOUT`: two underscores after the section. Lists are separated by
  commas. `SENDREADY_PROVIDERS__NAME__KEY` sets a provider's key; `ACME_MAIL` is the provider `acme-mail` where the
  file has one. Variables without a double underscore, such as a cluster's `SENDREADY_PORT`, are not read;
  `SENDREADY_URL` and `SENDREADY_KEY` are no settings: they tell `domains`, `clients`, `mailboxes` and `breaker` whom to ask.
* **Durations** carry their unit: `500ms`, `30s`, `15m`, `72h`, `90d`. None may be longer than ten years.
* **Lists** may also be written as one text with commas, and one text is a list of one.
* **Across keys**, `dns.timeout` must be shorter than two thirds of `checks.lease`, by when every check ends.

```toml
[database]
url = \"postgres://sendready@db.example.com/mail\"

[dns]
resolvers = [\"192.0.2.53\", \"[2001:db8::53]:53\"]

[checks]
pending_ladder = [[\"15m\", \"2m\"], [\"2h\", \"10m\"], [\"24h\", \"1h\"], [\"30d\", \"6h\"]]

[providers.infraforge]
spf_includes = [\"_spf.example.com\"]
dkim_selectors = [\"s1\", \"s2\"]
mx = [\"10 mx1.example.com\", \"20 mx2.example.com\"]
dmarc = \"v=DMARC1; p=none; rua=mailto:dmarc@example.com\"
ttl = 3600
```
";

/// What stands before the providers' keys.
const PROVIDERS: &str = "
## `[providers.NAME]`

What a provider wants a domain to publish. `manual` and `infraforge` are built in: of `manual` everything comes with the
domain, and it has no profile; `infraforge` is empty until it is configured here. A name is up to 63 of `a-z`, `0-9`,
`-` and `_`.

A domain that brings no requirements of its own does what its profile says, also when that changes. What is new then is
staged for domains that were verified: it counts once it was valid for the first time, and what it replaces until then.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let now = key.name.split_once('.').map_or("", |(section, _)| section);
        if now != section {
            write!(page, "\n## `[{now}]`\n").unwrap();
        } else if now.is_empty() {
            page.push_str("\n## At the top of the file\n");
        }
        section = now;
        entry(&mut page, key);
    }
    page.push_str(PROVIDERS);
    PROVIDER_KEYS.iter().for_each(|key| entry(&mut page, key));
    page
}

fn entry(page: &mut String, key: &Key) {
    write!(page, "\n### `{}`\n\n{}\n\n", key.name, key.says).unwrap();
    if key.reader == Reader::Later {
        page.push_str("*Checked, and read by a later release.*\n\n");
    }
    let form = key.form.words();
    writeln!(page, "* Value: {form}").unwrap();
    match key.default {
        "" => page.push_str("* Default: none\n"),
        default => writeln!(page, "* Default: `{default}`").unwrap(),
    }
    let variable = if key.name.contains('.') || KEYS.iter().any(|known| known.name == key.name) {
        key.variable()
    } else {
        format!("SENDREADY_PROVIDERS__NAME__{}", key.name.to_ascii_uppercase())
    };
    writeln!(page, "* Variable: `{variable}`").unwrap();
    if !key.flag.is_empty() {
        writeln!(page, "* Flag: `{}`", key.flag).unwrap();
    }
}

#[test]
fn the_configuration_page_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/configuration.md is stale: UPDATE_DOCS=1 cargo test configuration_page");
}
