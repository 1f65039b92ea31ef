//! Histories by hand, and random ones against a model that knows the whole history at every step.

mod model;

use super::*;

const PATIENCE: Patience =
    Patience { grace: Duration::hours(72), recovery_hold: Duration::hours(1), stale_limit: Duration::hours(48) };

/// Runs a history: each step is hours since the start and a letter for the report (`v` all valid, `f` DKIM
/// missing, `u` unknown), and shows what happened.
#[track_caller]
fn check(why: &str, start: Standing, history: &[(i64, char)], expected: &str) {
    let mut standing = start;
    let mut shown = Vec::new();
    for (hours, letter) in history {
        let dkim = match letter {
            'v' => Verdict::Valid,
            'f' => Verdict::Missing,
            _ => Verdict::Unknown,
        };
        let verdicts = Verdicts { spf: Verdict::Valid, dkim, dmarc: Verdict::Valid, mx: Verdict::Valid };
        let now = DateTime::UNIX_EPOCH + Duration::hours(*hours);
        let (next, happenings) = after(&standing, verdicts, Control::Proven, now, PATIENCE);
        standing = next;
        shown.extend(happenings.iter().map(|happening| match happening {
            Happening::Stale => format!("{hours}:stale"),
            other => format!("{hours}:{}", other.as_str().trim_start_matches("domain.")),
        }));
    }
    let reason = standing.suspended_reason.map(|reason| format!(" ({})", reason.as_str())).unwrap_or_default();
    shown.push(format!("{}{reason} dkim={}", standing.status.as_str(), standing.flags.dkim));
    assert_eq!(shown.join(" "), expected, "{why}");
}

#[test]
fn histories() {
    let new = Standing::NEW;
    let active =
        Standing { status: Status::Active, flags: Flags { spf: true, dkim: true, dmarc: true, mx: true }, ..new };
    let operator = Standing { status: Status::Suspended, suspended_reason: Some(SuspendedReason::Operator), ..active };
    check("pending becomes active", new, &[(0, 'f'), (1, 'v')], "1:verified active dkim=true");
    check("pending never becomes anything by failing", new, &[(0, 'f'), (900, 'f')], "pending dkim=false");
    check("unknown verifies nothing", new, &[(0, 'u')], "pending dkim=false");
    check("unknown changes nothing", active, &[(0, 'u'), (47, 'u')], "active dkim=true");
    check("a failure starts the clock", active, &[(0, 'f')], "0:at_risk active dkim=false");
    check(
        "grace ends in suspension",
        active,
        &[(0, 'f'), (72, 'f')],
        "0:at_risk 72:suspended suspended (dns) dkim=false",
    );
    check("before its end it does not", active, &[(0, 'f'), (71, 'f')], "0:at_risk active dkim=false");
    check("unknown at the end does not", active, &[(0, 'f'), (80, 'u')], "0:at_risk active dkim=false");
    check("a flicker sends no second word", active, &[(0, 'f'), (1, 'v'), (1, 'f')], "0:at_risk active dkim=false");
    check(
        "a flicker does not reset the clock",
        active,
        &[(0, 'f'), (71, 'v'), (71, 'f'), (72, 'f')],
        "0:at_risk 72:suspended suspended (dns) dkim=false",
    );
    check("recovered after the hold", active, &[(0, 'f'), (1, 'v'), (2, 'v')], "0:at_risk 2:restored active dkim=true");
    check(
        "suspended recovers too",
        active,
        &[(0, 'f'), (72, 'f'), (73, 'v'), (74, 'v')],
        "0:at_risk 72:suspended 74:restored active dkim=true",
    );
    check(
        "what nobody could tell pauses the hold",
        active,
        &[(0, 'f'), (1, 'v'), (1, 'u'), (5, 'v'), (5, 'u'), (9, 'v'), (10, 'v')],
        "0:at_risk 10:restored active dkim=true",
    );
    check(
        "and takes nothing from it",
        active,
        &[(0, 'f'), (1, 'v'), (2, 'u'), (5, 'v')],
        "0:at_risk 5:restored active dkim=true",
    );
    check(
        "a failure restarts it",
        active,
        &[(0, 'f'), (1, 'v'), (1, 'u'), (2, 'f'), (2, 'v'), (3, 'v')],
        "0:at_risk 3:restored active dkim=true",
    );
    check("a person's suspension stays", operator, &[(0, 'v'), (9, 'v')], "suspended (operator) dkim=true");
}

#[test]
fn staleness_ends() {
    let active = Standing {
        status: Status::Active,
        flags: Flags { spf: true, dkim: true, dmarc: true, mx: true },
        ..Standing::NEW
    };
    let suspended = "48:stale 120:suspended suspended (unverifiable) dkim=true";
    check("it puts at risk", active, &[(0, 'u'), (48, 'u')], "48:stale active dkim=true");
    check("once", active, &[(0, 'u'), (48, 'u'), (60, 'u')], "48:stale active dkim=true");
    check("and suspends after a grace", active, &[(0, 'u'), (48, 'u'), (120, 'u')], suspended);
    check("not before", active, &[(0, 'u'), (48, 'u'), (119, 'u')], "48:stale active dkim=true");
    check("a grace from being told", active, &[(0, 'u'), (200, 'u'), (271, 'u')], "200:stale active dkim=true");
    check("a word breaks it", active, &[(0, 'u'), (40, 'v'), (41, 'u'), (88, 'u')], "active dkim=true");
    check("one of pending domains is nothing", Standing::NEW, &[(0, 'u'), (900, 'u')], "pending dkim=false");
    check(
        "recovery is that of dns",
        active,
        &[(0, 'u'), (48, 'u'), (120, 'u'), (121, 'v'), (122, 'v')],
        "48:stale 120:suspended 122:restored active dkim=true",
    );
    check(
        "a failing domain is not suspended by silence alone",
        active,
        &[(0, 'f'), (1, 'u'), (80, 'u'), (120, 'u')],
        "0:at_risk active dkim=false",
    );
    check(
        "unless it lasts",
        active,
        &[(0, 'f'), (1, 'u'), (121, 'u')],
        "0:at_risk 121:suspended suspended (unverifiable) dkim=false",
    );
    check(
        "a definite failure has its own end",
        active,
        &[(0, 'u'), (48, 'u'), (50, 'f'), (120, 'f')],
        "48:stale 120:suspended suspended (dns) dkim=false",
    );
}
