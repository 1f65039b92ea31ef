//! The schedule stays quick: what is due is found by indexes, with many rows and few due.

use sendready::sending::tier::Tier;
use sendready::store::db::{Db, Sql};
use sendready::store::{NewKey, Role};
use sqlx::AssertSqlSafe;

use crate::store::world::{Place, World, at, id, on_both};

on_both!(
    claims_walk_indexes,
    lists_walk_indexes,
    mailboxes_walk_indexes,
    rollups_walk_indexes,
    settling_walks_indexes,
    people_before_a_hundred_thousand,
    the_breaker_walks_indexes,
    webhooks_walk_indexes,
    who_changed_what_walks_indexes,
    ownership_walks_indexes,
    abandoned_domains_walk_indexes,
    outside_facts_walk_indexes,
    the_console_walks_indexes
);

const ROWS: u32 = 20_000;

/// By which each row finds its client's addresses.
const DEDICATED: &str = "idx_sendready_dedicated_ips_client";

/// Many domains of one client: most verified and not due, some due, some never looked at.
async fn fill(world: &World) {
    world.client(1, Tier::Velocity).await;
    let (numbers, row_id) = match world.place {
        Place::Postgres(_) => (format!("generate_series(1, {ROWS}) AS n"), "gen_random_uuid()"),
        Place::Sqlite(_) => (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s)"
            ),
            "randomblob(16)",
        ),
    };
    let (past, future) = (at(-60).to_rfc3339(), at(99_999).to_rfc3339());
    let cast = if matches!(world.place, Place::Postgres(_)) { "::timestamptz" } else { "" };
    world
        .run(&format!(
            "INSERT INTO email_domains (id, client_id, domain, status, created_at, last_checked_at, next_check_at, check_reason) \
             SELECT {row_id}, (SELECT id FROM clients), 'd' || n || '.example', 'active', '{past}'{cast}, \
             CASE WHEN n % 1000 = 1 THEN NULL ELSE '{past}'{cast} END, \
             CASE WHEN n % 1000 = 1 THEN NULL WHEN n % 1000 IN (2, 3) THEN '{past}'{cast} ELSE '{future}'{cast} END, \
             CASE WHEN n % 1000 = 2 THEN 'verify' WHEN n % 1000 = 1 THEN NULL ELSE 'schedule' END FROM {numbers}"
        ))
        .await;
    fill_dedicated_ips(world).await;
    world.run("ANALYZE").await;
}

/// Clients enough for their dedicated addresses to be worth an index.
async fn fill_dedicated_ips(world: &World) {
    let (id, number) = match world.place {
        Place::Postgres(_) => ("gen_random_uuid()", "generate_series(1, 5000) AS n"),
        Place::Sqlite(_) => (
            "randomblob(16)",
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 5000) SELECT n FROM s)",
        ),
    };
    world
        .run(&format!("INSERT INTO clients (id, name, created_at) SELECT {id}, 'c' || n, '2026-01-02T03:04:05+00:00' FROM {number}"))
        .await;
    world
        .run("INSERT INTO sendready_dedicated_ips (address, client_id, created_at) SELECT name, id, created_at FROM clients")
        .await;
}

/// How the database means to run a statement of the store, its parameters filled in.
async fn plan(world: &World, name: &str, parameters: &[String]) -> Vec<String> {
    let statement: Sql =
        *sendready::store::statements().iter().find(|statement| statement.name.ends_with(name)).unwrap();
    let fill = |text: &str| {
        let numbered = parameters.iter().enumerate().rev();
        numbered.fold(text.to_owned(), |text, (index, value)| text.replace(&format!("${}", index + 1), value))
    };
    match world.store.db() {
        Db::Postgres(pool) => {
            let text = format!("EXPLAIN {}", fill(statement.postgres));
            sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(pool).await.unwrap()
        }
        Db::Sqlite(pool) => {
            let text = format!("EXPLAIN QUERY PLAN {}", fill(statement.sqlite));
            let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(text)).fetch_all(pool).await.unwrap();
            rows.into_iter().map(|row| row.3).collect()
        }
    }
}

/// Many deliveries of some endpoints: most taken, some due, one in fifty asked for by hand.
async fn fill_deliveries(world: &World) {
    world.client(1, Tier::Velocity).await;
    let (numbers, row_id, cast) = match world.place {
        Place::Postgres(_) => (format!("generate_series(1, {ROWS}) AS n"), "gen_random_uuid()", "::timestamptz"),
        Place::Sqlite(_) => (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s)"
            ),
            "randomblob(16)",
            "",
        ),
    };
    let past = format!("'{}'{cast}", at(-60).to_rfc3339());
    world
        .run(&format!(
            "INSERT INTO sendready_webhook_endpoints (id, client_id, url, events, secret, older_secrets, enabled, \
             well_at, created_at, updated_at) SELECT {row_id}, CASE WHEN n % 2 = 0 THEN (SELECT id FROM clients) END, \
             'https://a.example/', '', 'whsec_AAAA', '[]', TRUE, {past}, {past}, {past} FROM {numbers} WHERE n <= 500"
        ))
        .await;
    world
        .run(&format!(
            "INSERT INTO sendready_webhook_deliveries (endpoint_id, event_id, kind, body, created_at, status, attempts, \
             asked, next_attempt_at) SELECT e.id, {row_id}, 'domain.verified', '', {past}, 'pending', 0, n % 50 = 0, \
             CASE WHEN n % 5 = 0 THEN {past} END FROM {numbers} \
             CROSS JOIN (SELECT id FROM sendready_webhook_endpoints ORDER BY id LIMIT 5) AS e"
        ))
        .await;
    world
        .run(&format!(
            "INSERT INTO sendready_webhook_receipts (source, webhook_id, received_at, taken) \
             SELECT 'signature', 'm' || n, {past}, '' FROM {numbers}"
        ))
        .await;
    world.run("ANALYZE").await;
}

async fn webhooks_walk_indexes(world: World) {
    fill_deliveries(&world).await;
    let (now, one, two) = (quoted(&at(0).to_rfc3339()), literal(&world, 7), literal(&world, 8));
    let is_sqlite = matches!(world.place, Place::Sqlite(_));
    let due = "idx_sendready_webhook_deliveries_due";
    // The primary key's index has a name of the database's own.
    let primary =
        if is_sqlite { "sqlite_autoindex_sendready_webhook_deliveries_1" } else { "sendready_webhook_deliveries_pkey" };
    walks(&plan(&world, "delivery_claim::CLAIMABLE", &[now.clone(), "256".to_owned()]).await, &[due]);
    let lend = [one.clone(), now.clone(), now.clone(), two.clone(), "4".to_owned()];
    walks(&plan(&world, "delivery_claim::CLAIM", &lend).await, &[due]);
    walks(&plan(&world, "delivery_claim::CLAIM_ASKED", &lend).await, &["idx_sendready_webhook_deliveries_asked"]);
    let list = [one.clone(), two.clone(), "50".to_owned()];
    walks(&plan(&world, "delivery::LIST", &list).await, &[primary]);
    // By the endpoint or by the event: either finds the one row.
    walks(&plan(&world, "delivery::RETRY", &[one.clone(), two.clone(), now.clone()]).await, &[]);
    let prune = plan(&world, "delivery::PRUNE", &[one.clone(), "500".to_owned()]).await;
    walks(&prune, &["idx_sendready_webhook_deliveries_event"]);
    let of_client = plan(&world, "endpoint::LIST_OF_CLIENT", &[one.clone(), "50".to_owned(), two.clone()]).await;
    walks(&of_client, &["idx_sendready_webhook_endpoints_client"]);
    let forget = plan(&world, "receipt::PRUNE", &[quoted(&at(-90).to_rfc3339()), "500".to_owned()]).await;
    walks(&forget, &["idx_sendready_webhook_receipts_received"]);
}

/// Many changes of some keys and domains.
async fn who_changed_what_walks_indexes(world: World) {
    fill(&world).await;
    let (numbers, row_id, key, cast) = match world.place {
        Place::Postgres(_) => {
            let key = "('00000000-0000-0000-0000-' || LPAD(CAST(n % 100 AS TEXT), 12, '0'))::uuid";
            (format!("generate_series(1, {ROWS}) AS n"), "gen_random_uuid()", key, "::timestamptz")
        }
        Place::Sqlite(_) => (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s)"
            ),
            "randomblob(16)",
            "CAST('aaaaaaaaaaaaaa' || PRINTF('%02d', n % 100) AS BLOB)",
            "",
        ),
    };
    let past = at(-60).to_rfc3339();
    world
        .run(&format!(
            "INSERT INTO sendready_audit (id, at, actor, key_id, operation, path, domain_id, fields, outcome) \
             SELECT {row_id}, '{past}'{cast}, 'operator', {key}, 'domain_change', '/', {key}, '', 'done' FROM {numbers}"
        ))
        .await;
    world.run("ANALYZE").await;
    let is_sqlite = matches!(world.place, Place::Sqlite(_));
    let primary = if is_sqlite { "sqlite_autoindex_sendready_audit_1" } else { "sendready_audit_pkey" };
    let all = [literal(&world, u128::MAX >> 1), literal(&world, 0), quoted(""), quoted(""), "50".to_owned()];
    walks(&plan(&world, "audit::LIST", &all).await, &[primary]);
    let of = |more: &[String]| [&all[..], more].concat();
    let key = literal(&world, 7);
    walks(&plan(&world, "audit::LIST_OF_KEY", &of(std::slice::from_ref(&key))).await, &["idx_sendready_audit_key"]);
    let domain = plan(&world, "audit::LIST_OF_DOMAIN", &of(&[key, "NULL".to_owned()])).await;
    walks(&domain, &["idx_sendready_audit_domain"]);
    let end = [literal(&world, 7), quoted("done"), "200".to_owned(), literal(&world, 7), quoted("")];
    walks(&plan(&world, "audit::END", &end).await, &[primary]);
    walks(&plan(&world, "audit::PRUNE", &[literal(&world, 7), "500".to_owned()]).await, &[primary]);
}

/// What is asked of others about domains is found by indexes, and dedicated addresses by theirs.
async fn outside_facts_walk_indexes(world: World) {
    fill_mailboxes(&world).await;
    let past = at(-60).to_rfc3339();
    let cast = if matches!(world.place, Place::Postgres(_)) { "::timestamptz" } else { "" };
    world
        .run(&format!(
            "INSERT INTO sendready_organizations (organization, age_failures, age_next_at, lists_next_at) \
             SELECT domain, 0, '{past}'{cast}, '{past}'{cast} FROM email_domains"
        ))
        .await;
    world
        .run("INSERT INTO sendready_domain_organizations (domain_id, domain, organization) SELECT id, domain, domain FROM email_domains")
        .await;
    world
        .run(&format!(
            "INSERT INTO sendready_listings (organization, zone, listed, codes, asked_at) \
             SELECT domain, 'dbl.example', FALSE, '', '{past}'{cast} FROM email_domains"
        ))
        .await;
    world.run("ANALYZE").await;
    let (now, domain) = (quoted(&at(0).to_rfc3339()), literal(&world, 7));
    let claim = [now.clone(), now.clone(), domain.clone()];
    walks(&plan(&world, "organization::CLAIM_AGE", &claim).await, &["idx_sendready_organizations_age"]);
    walks(&plan(&world, "organization::CLAIM_LISTS", &claim).await, &["idx_sendready_organizations_lists"]);
    let domains = plan(&world, "organization::DOMAINS", &[quoted("d7.example")]).await;
    walks(&domains, &["idx_sendready_domain_organizations_organization"]);
    walks(&plan(&world, "organization::WALK", &[domain.clone(), "500".to_owned()]).await, &[]);
    walks(&plan(&world, "organization::AGE_OF", std::slice::from_ref(&domain)).await, &[]);
    walks(&plan(&world, "listing::OF_DOMAIN", std::slice::from_ref(&domain)).await, &[]);
    let ids = [quoted(r#"["00000000000000000000000000000007"]"#)];
    for name in ["reputation::FACTS", "reputation::LOCK"] {
        walks(&plan(&world, name, &ids).await, &[]);
    }
    let of_client = plan(&world, "dedicated::ADDRESSES", &[domain]).await;
    walks(&of_client, &[DEDICATED]);
}

/// Refuses a plan that reads the whole table, or leaves one of the indexes unused.
fn walks(plan: &[String], indexes: &[&str]) {
    let shown = plan.join("\n");
    for index in indexes {
        assert!(shown.contains(index), "{index} is not used:\n{shown}");
    }
    let whole = |line: &&String| {
        line.contains("Seq Scan")
            || [
                "SCAN email_domains",
                "SCAN email_mailboxes",
                "SCAN m",
                "SCAN d",
                "SCAN l",
                "SCAN told",
                "SCAN sendready_webhook_deliveries",
                "SCAN sendready_audit",
            ]
            .contains(&line.trim())
    };
    assert_eq!(plan.iter().find(whole), None, "the whole table is read:\n{shown}");
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

/// An id as SQL writes it.
fn literal(world: &World, number: u128) -> String {
    match world.place {
        Place::Postgres(_) => quoted(&id(number).to_string()),
        Place::Sqlite(_) => format!("X'{}'", id(number).simple()),
    }
}

async fn claims_walk_indexes(world: World) {
    fill(&world).await;
    let mut parameters =
        vec![quoted(&at(0).to_rfc3339()), quoted(&at(60).to_rfc3339()), literal(&world, 7), "10".to_owned()];
    parameters.extend([2, 3, 4, 5].map(|client| literal(&world, client)));
    let asked = "idx_sendready_domains_asked";
    let (new, sweep) = ("idx_sendready_domains_new", "idx_sendready_domains_sweep");
    walks(&plan(&world, "CLAIM_DUE", &parameters).await, &[asked, new, sweep, DEDICATED]);
    walks(&plan(&world, "CLAIM_SWEEP", &parameters).await, &[sweep, DEDICATED]);
    let mut found = Vec::new();
    for token in 1..=7 {
        let claims = world.store.domain_claim_due(at(0), at(60), id(token), 10).await.unwrap();
        found.push((claims.len(), claims.iter().filter(|claim| claim.reason.is_interactive()).count()));
    }
    assert_eq!(found, [(10, 10), (10, 10), (10, 10), (10, 10), (10, 0), (10, 0), (0, 0)]);
}

async fn lists_walk_indexes(world: World) {
    fill(&world).await;
    // As a fleet is: nearly all are well.
    let well = "spf_valid = TRUE, dkim_valid = TRUE, dmarc_valid = TRUE, mx_valid = TRUE";
    world
        .run(&format!("UPDATE email_domains SET status = 'active', {well} WHERE domain NOT LIKE 'd12__.example'"))
        .await;
    world.run("UPDATE email_domains SET status = 'suspended' WHERE domain LIKE 'd12__.example'").await;
    world.run(if matches!(world.place, Place::Postgres(_)) { "VACUUM ANALYZE" } else { "ANALYZE" }).await;
    let parameters = [
        quoted("0001-01-01T00:00:00+00:00"),
        literal(&world, 0),
        "50".to_owned(),
        quoted(""),
        quoted(""),
        literal(&world, 1),
    ];
    walks(&plan(&world, "domain::LIST", &parameters).await, &["idx_sendready_domains_place", DEDICATED]);
    let plan_of_client = plan(&world, "domain::LIST_OF_CLIENT", &parameters).await;
    walks(
        &plan_of_client,
        if matches!(world.place, Place::Sqlite(_)) { &["idx_sendready_domains_client_place"] } else { &[] },
    );
    let (client, (from, to)) = (literal(&world, 1), (quoted("d1234"), quoted("d1234\u{10ffff}")));
    let prefix = [&parameters[..5], &[from, to, client]].concat();
    let of_status = [&parameters[..3], &[quoted("suspended"), quoted("")]].concat();
    walks(&plan(&world, "domain::LIST_OF_STATUS", &of_status).await, &["idx_sendready_domains_status_place"]);
    let deleted = [&parameters[..3], &[quoted("deleted"), quoted("")]].concat();
    walks(&plan(&world, "domain::LIST_DELETED", &deleted).await, &["idx_sendready_domains_deleted_place"]);
    let failing = [&parameters[..4], &[quoted("spf")]].concat();
    walks(&plan(&world, "domain::LIST_FAILING", &failing).await, &["idx_sendready_domains_failing_place"]);
    walks(&plan(&world, "domain::LIST_BY_PREFIX", &prefix).await, &["idx_sendready_domains_prefix"]);
    // By the client or by the name, whichever the database holds to be fewer.
    walks(&plan(&world, "domain::LIST_OF_CLIENT_BY_PREFIX", &prefix).await, &[]);
    let by_name = plan(&world, "domain::BY_NAME", &[quoted("a.example"), quoted("a.example.")]).await;
    walks(&by_name, &["idx_sendready_domains_name"]);
}

/// Many mailboxes, ten to a domain; few of them were touched today.
async fn fill_mailboxes(world: &World) {
    fill(world).await;
    let row_id = if matches!(world.place, Place::Postgres(_)) { "gen_random_uuid()" } else { "randomblob(16)" };
    let domains = "SELECT id, client_id, domain, row_number() OVER (ORDER BY id) AS n FROM email_domains";
    let numbers = "SELECT 0 AS k UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3";
    let day = |condition: &str| format!("CASE WHEN {condition} THEN DATE '2026-09-20' END");
    let sends_day = match world.place {
        Place::Postgres(_) => day("n % 1000 = 1"),
        Place::Sqlite(_) => day("n % 1000 = 1").replace("DATE ", ""),
    };
    world
        .run(&format!(
            "INSERT INTO email_mailboxes (id, domain_id, client_id, email_address, current_daily_sends, sends_day) \
             SELECT {row_id}, id, client_id, 'box' || k || '@' || domain, CASE WHEN n % 1000 IN (1, 2) THEN 3 ELSE 0 END, \
             {sends_day} FROM ({domains}) AS d CROSS JOIN ({numbers}) AS numbers"
        ))
        .await;
    world.run("UPDATE email_domains SET current_daily_sends = 3 WHERE domain LIKE 'd1_.example'").await;
    for (what, table) in [("mailbox", "email_mailboxes"), ("domain", "email_domains")] {
        let closures = format!("INSERT INTO sendready_{what}_closures ({what}_id, closed_at)");
        world.run(&format!("{closures} SELECT id, CURRENT_TIMESTAMP FROM {table}")).await;
    }
    let past = "UPDATE email_domains SET sends_day = '2026-09-20' WHERE domain LIKE 'd2_.example'";
    world.run(past).await;
    world.run("ANALYZE").await;
}

async fn mailboxes_walk_indexes(world: World) {
    fill_mailboxes(&world).await;
    sends_walk_indexes(&world).await;
    let (day, next) = (quoted("2026-09-21"), quoted("2026-09-22"));
    let plan = async |name: &str, parameters: &[String]| plan(&world, name, parameters).await;
    let address = [quoted("box1@d7.example"), quoted("box1@d7.example.")];
    walks(&plan("mailbox::BY_ADDRESS", &address).await, &["idx_sendready_mailboxes_address"]);
    let domain = literal(&world, 5);
    // Which of the two indexes by domain serves a page is the database's to choose.
    let list = plan("mailbox::LIST", &[domain.clone(), literal(&world, 0), "50".to_owned()]).await;
    walks(&list, &[]);
    walks(&plan("mailbox::LIMIT_SUM", std::slice::from_ref(&domain)).await, &[]);
    walks(&plan("warmup::NOT_BEGUN", std::slice::from_ref(&domain)).await, &[]);
    walks(&plan("mailbox::GET", std::slice::from_ref(&domain)).await, &[]);
    walks(&plan("mailbox_change::LOCK_DOMAIN", std::slice::from_ref(&domain)).await, &[]);
    walks(&plan("warmup::CLOSURES", &[domain.clone(), domain]).await, &[]);
    let zero = [day.clone(), next, "500".to_owned()];
    walks(&plan("send::ZERO_DOMAINS", &zero).await, &["idx_sendready_domains_sends_day"]);
    walks(&plan("send::ZERO_MAILBOXES", &zero).await, &["idx_sendready_mailboxes_sends_day"]);
    let stamp = [day, "500".to_owned()];
    walks(&plan("send::STAMP_DOMAINS", &stamp).await, &["idx_sendready_domains_unstamped"]);
    walks(&plan("send::STAMP_MAILBOXES", &stamp).await, &["idx_sendready_mailboxes_unstamped"]);
}

/// Many days of many mailboxes, of which a roll-up reads its own.
async fn rollups_walk_indexes(world: World) {
    fill_mailboxes(&world).await;
    let row_id = if matches!(world.place, Place::Postgres(_)) { "gen_random_uuid()" } else { "randomblob(16)" };
    world
        .run(&format!(
            "INSERT INTO warmup_stats (id, mailbox_id, date, emails_sent) SELECT {row_id}, m.id, d.date, 10 FROM email_mailboxes AS m \
             CROSS JOIN (SELECT sends_day AS date FROM email_domains WHERE sends_day IS NOT NULL LIMIT 1) AS d"
        ))
        .await;
    world.run("ANALYZE").await;
    let parameters = [literal(&world, 7), quoted("2026-09-01"), quoted("2026-09-30")];
    // A client of few mailboxes: of one that has them all, all days are to be read.
    walks(&plan(&world, "warmup_rollup::OF_CLIENT", &parameters).await, &["idx_mailboxes_client"]);
    // By either of the two indexes by domain.
    walks(&plan(&world, "warmup_rollup::OF_DOMAIN", &parameters).await, &[]);
}

/// Many sends at once are found by their ids, and so are their keys.
async fn sends_walk_indexes(world: &World) {
    let key =
        NewKey { id: id(900), role: Role::Operator, client_id: None, name: None, hash: [9; 32], expires_at: None };
    world.store.key_add(&key, at(0)).await.unwrap();
    world
        .run(
            "INSERT INTO sendready_sends (mailbox_id, key_id, idem_key, at, day, granted, mailbox_used, mailbox_limit, \
             domain_used, domain_limit) SELECT m.id, k.id, 'k', CURRENT_TIMESTAMP, CURRENT_DATE, 1, 1, 10, 1, 50 \
             FROM (SELECT id FROM email_mailboxes LIMIT 5000) AS m CROSS JOIN sendready_api_keys AS k",
        )
        .await;
    world.run("ANALYZE sendready_sends").await;
    let id = r#""item_id": "00000000000000000000000000000007", "used": 1, "day": "2026-09-21""#;
    let items = quoted(&format!("[{{{id}}}]"));
    let (domains, mailboxes) = match world.place {
        Place::Postgres(_) => ("email_domains_pkey", "email_mailboxes_pkey"),
        Place::Sqlite(_) => ("sqlite_autoindex_email_domains", "sqlite_autoindex_email_mailboxes"),
    };
    match world.place {
        Place::Postgres(_) => {
            let ids = quoted("{00000000-0000-0000-0000-000000000007}");
            walks(&plan(world, "send_rows::LOCK", std::slice::from_ref(&ids)).await, &[domains, mailboxes]);
            let count = [ids, quoted("{1}"), quoted("{2026-09-21}")];
            let mut write: Vec<String> = count.iter().chain(&count).cloned().collect();
            write.extend((0..9).map(|_| quoted("{}")));
            write.extend([at(0), at(0)].map(|at| quoted(&at.to_rfc3339())));
            walks(&plan(world, "send_rows::WRITE", &write).await, &[domains, mailboxes]);
        }
        Place::Sqlite(_) => {
            let ids = quoted(r#"["00000000000000000000000000000007"]"#);
            walks(&plan(world, "send_rows::LOCK", &[ids]).await, &[domains, mailboxes]);
            walks(&plan(world, "send_rows::WRITE_DOMAINS", std::slice::from_ref(&items)).await, &[domains]);
            walks(&plan(world, "send_rows::WRITE_MAILBOXES", &[items]).await, &[mailboxes]);
        }
    }
    let key = r#"[{"place": 0, "mailbox_id": "00000000000000000000000000000007", "key_id": "00000000000000000000000000000009", "idem_key": "k"}]"#;
    walks(&plan(world, "send_rows::KEPT_GRANTS", &[quoted(key), quoted(&at(0).to_rfc3339())]).await, &[]);
}

/// Many claims, few of them on one domain or by one client.
async fn ownership_walks_indexes(world: World) {
    fill(&world).await;
    let cast = if matches!(world.place, Place::Postgres(_)) { "::timestamptz" } else { "" };
    let (past, future) = (format!("'{}'{cast}", at(-60).to_rfc3339()), format!("'{}'{cast}", at(99_999).to_rfc3339()));
    world
        .run(&format!(
            "INSERT INTO sendready_ownership_claims (domain_id, client_id, value, provider, asked_at, expires_at) \
             SELECT d.id, c.id, 'x', 'manual', {past}, CASE WHEN d.n % 2 = 0 THEN {past} ELSE {future} END \
             FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM email_domains) AS d \
             JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM clients) AS c ON c.n = d.n % 5000 + 1"
        ))
        .await;
    world.run("ANALYZE").await;
    let key = match world.place {
        Place::Sqlite(_) => "sqlite_autoindex_sendready_ownership_claims_1",
        Place::Postgres(_) => "sendready_ownership_claims_pkey",
    };
    let (one, two, now) = (literal(&world, 7), literal(&world, 8), quoted(&at(0).to_rfc3339()));
    walks(&plan(&world, "ownership::CLAIMS", &[one.clone(), now.clone()]).await, &[key]);
    let count = [one.clone(), two.clone(), now.clone()];
    walks(&plan(&world, "ownership::COUNT_OF_DOMAIN", &count).await, &[key]);
    walks(&plan(&world, "ownership::COUNT_OF_CLIENT", &count).await, &["idx_sendready_ownership_claims_client"]);
    walks(&plan(&world, "ownership::FORGET", std::slice::from_ref(&one)).await, &[key]);
    let early = quoted(&at(-90).to_rfc3339());
    let prune = plan(&world, "ownership::PRUNE", &[early, "500".to_owned()]).await;
    walks(&prune, &["idx_sendready_ownership_claims_expires"]);
}

/// Few among many deleted domains are claimed, and few of those are due.
async fn abandoned_domains_walk_indexes(world: World) {
    fill(&world).await;
    let cast = if matches!(world.place, Place::Postgres(_)) { "::timestamptz" } else { "" };
    let (past, future) = (format!("'{}'{cast}", at(-60).to_rfc3339()), format!("'{}'{cast}", at(99_999).to_rfc3339()));
    world
        .run(&format!(
            "UPDATE email_domains SET deleted_at = {past}, claims_check_at = CASE WHEN domain LIKE 'd12__.example' THEN {past} \
             WHEN domain LIKE 'd13__.example' THEN {future} END WHERE domain LIKE 'd1%'"
        ))
        .await;
    world.run("ANALYZE").await;
    let now = quoted(&at(0).to_rfc3339());
    let parameters = [now.clone(), quoted(&at(60).to_rfc3339()), literal(&world, 7), "10".to_owned()];
    walks(&plan(&world, "abandoned::LEND", &parameters).await, &["idx_sendready_domains_abandoned", DEDICATED]);
    let key = match world.place {
        Place::Sqlite(_) => "sqlite_autoindex_email_domains_1",
        Place::Postgres(_) => "email_domains_pkey",
    };
    for (name, parameters) in [
        ("abandoned::GET_LOCKED", vec![literal(&world, 8)]),
        ("abandoned::GET_HELD", vec![literal(&world, 8), literal(&world, 7)]),
        ("abandoned::LOOK_SOON", vec![literal(&world, 8), now.clone()]),
        ("abandoned::LOOK_AGAIN", vec![literal(&world, 8), now.clone(), now]),
    ] {
        walks(&plan(&world, name, &parameters).await, &[key]);
    }
}

/// The console's counts read indexes alone; of the history it reads a day.
async fn the_console_walks_indexes(world: World) {
    fill_mailboxes(&world).await;
    let (row_id, cast) = match world.place {
        Place::Postgres(_) => ("gen_random_uuid()", "::timestamptz"),
        Place::Sqlite(_) => ("randomblob(16)", ""),
    };
    let (now, long_ago, lately) = (at(0).to_rfc3339(), at(-999_999).to_rfc3339(), at(-60).to_rfc3339());
    world
        .run(&format!(
            "INSERT INTO sendready_evidence (digest, version, body, created_at) VALUES ('e', 1, '{{}}', '{now}'{cast})"
        ))
        .await;
    world
        .run(&format!(
            "INSERT INTO sendready_checks (id, domain_id, at, reason, all_valid, verdicts, changes, evidence_digest, \
             questions, took_ms) SELECT {row_id}, id, CASE WHEN domain LIKE 'd12__.example' THEN '{lately}'{cast} \
             ELSE '{long_ago}'{cast} END, 'schedule', TRUE, '[]', \
             CASE WHEN domain LIKE 'd1_0_.example' THEN '{{\"flags\":1}}' ELSE '{{}}' END, 'e', 1, 1 FROM email_domains"
        ))
        .await;
    world
        .run(&format!(
            "INSERT INTO sendready_events (id, domain_id, at, kind, body) \
             SELECT {row_id}, id, '{lately}'{cast}, 'domain.verified', '{{}}' FROM email_domains"
        ))
        .await;
    world.run("UPDATE email_domains SET suspends_at = created_at WHERE domain LIKE 'd1_.example'").await;
    world
        .run(&format!(
            "INSERT INTO sendready_webhook_endpoints (id, url, events, secret, older_secrets, enabled, well_at, created_at, \
             updated_at) SELECT {row_id}, 'https://a.example/', '', '', '[]', TRUE, '{now}'{cast}, '{now}'{cast}, '{now}'{cast} \
             FROM email_domains WHERE domain LIKE 'd1__.example'"
        ))
        .await;
    world
        .run(
            "INSERT INTO sendready_webhook_deliveries (endpoint_id, event_id, kind, body, created_at, status, attempts, \
             asked) SELECT p.id, e.id, e.kind, '', e.at, 'delivered', 1, FALSE FROM sendready_events AS e \
             CROSS JOIN (SELECT id FROM sendready_webhook_endpoints LIMIT 1) AS p"
        )
        .await;
    // What was just written, an index alone cannot answer for in PostgreSQL until it was vacuumed.
    world.run(if cast.is_empty() { "ANALYZE" } else { "VACUUM ANALYZE" }).await;
    let plan = async |name: &str, parameters: &[String]| plan(&world, name, parameters).await;
    walks(&plan("overview::DOMAINS", &[]).await, &["idx_sendready_domains_counts"]);
    walks(&plan("overview::MAILBOXES", &[]).await, &["idx_sendready_mailboxes_counts"]);
    let (from, to) = (quoted(&at(-86_400).to_rfc3339()), quoted(&now));
    let soon = plan("overview::SUSPENDED_SOON", &[to.clone(), "10".to_owned()]).await;
    walks(&soon, &["idx_sendready_domains_suspends"]);
    let day = [from, to.clone()];
    walks(&plan("overview::CHECKS", &day).await, &["idx_sendready_checks_at"]);
    walks(&plan("overview::CHANGES", &day).await, &["idx_sendready_checks_changed"]);
    walks(&plan("overview::LATELY", &["10".to_owned()]).await, &[]);
    let (domain, hash) = (literal(&world, 5), if cast.is_empty() { "X'00'" } else { "'\\x00'" });
    let deliveries = plan("overview::DELIVERIES", &[domain, "50".to_owned()]).await;
    walks(&deliveries, &["idx_sendready_events_domain"]);
    // Few sessions are there at any time; both ways lead to one row.
    let session = plan("console::GET", &[hash.to_owned(), to]).await;
    assert!(!session.join("\n").contains("SCAN s"), "{session:?}");
}

/// Many results at once are found by their ids, and names by their own index.
async fn settling_walks_indexes(world: World) {
    fill(&world).await;
    let item = r#"[{"item_id": "00000000000000000000000000000007"}]"#;
    let settle = plan(&world, "settle::SETTLE", &[quoted(item)]).await;
    let key =
        if matches!(world.place, Place::Sqlite(_)) { "sqlite_autoindex_email_domains" } else { "email_domains_pkey" };
    walks(&settle, &[key]);
    let (now, later) = (quoted(&at(0).to_rfc3339()), quoted(&at(30).to_rfc3339()));
    let names = quoted(r#"["a.example", "b.example"]"#);
    let parameters = [names, literal(&world, 1), now, later.clone(), later.clone(), later, quoted("15.000 seconds")];
    walks(&plan(&world, "ANNOUNCE", &parameters).await, &["idx_sendready_domains_name"]);
}

/// All is due by schedule, and somebody waits: he is first, and the sweep still gets its own.
async fn people_before_a_hundred_thousand(world: World) {
    for _ in 0..=100_000 / ROWS {
        fill_all_due(&world).await;
    }
    fill_dedicated_ips(&world).await;
    world.run("ANALYZE").await;
    let other = world.client(2, Tier::Velocity).await;
    world.domain(10, other, "asked.example", 0).await;
    assert!(world.store.domain_due_count(at(0)).await.unwrap() > 100_000);
    let mut parameters =
        vec![quoted(&at(0).to_rfc3339()), quoted(&at(60).to_rfc3339()), literal(&world, 7), "10".to_owned()];
    parameters.extend([2, 3, 4, 5].map(|client| literal(&world, client)));
    let asked = "idx_sendready_domains_asked";
    let sweep = "idx_sendready_domains_sweep";
    // A walk of an index that is already in order stops at the limit, however much is due; a sort would read it all.
    for (name, indexes, parameters) in
        [("CLAIM_DUE", &[asked, sweep][..], &parameters[..]), ("CLAIM_SWEEP", &[sweep][..], &parameters[..4])]
    {
        walks(&plan(&world, name, parameters).await, indexes);
    }
    let claims = world.store.domain_claim_due(at(0), at(60), id(7), 3).await.unwrap();
    let names: Vec<_> = claims.iter().map(|claim| claim.domain.domain.as_str()).collect();
    assert_eq!((names.len(), names[0]), (3, "asked.example"));
    assert_eq!(world.store.domain_claim_sweep(at(0), at(60), id(8), 100).await.unwrap().len(), 100);
}

/// Rows that are all due by schedule, of a client that is there already.
async fn fill_all_due(world: &World) {
    let count = world.count("SELECT COUNT(*) FROM email_domains").await;
    if count == 0 {
        world.client(1, Tier::Velocity).await;
    }
    let (numbers, row_id, cast) = match world.place {
        Place::Postgres(_) => (format!("generate_series(1, {ROWS}) AS n"), "gen_random_uuid()", "::timestamptz"),
        Place::Sqlite(_) => (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s)"
            ),
            "randomblob(16)",
            "",
        ),
    };
    let past = at(-60).to_rfc3339();
    world
        .run(&format!(
            "INSERT INTO email_domains (id, client_id, domain, status, created_at, last_checked_at, next_check_at, check_reason) \
             SELECT {row_id}, (SELECT id FROM clients), 'due' || ({count} + n) || '.example', 'active', '{past}'{cast}, \
             '{past}'{cast}, '{past}'{cast}, 'schedule' FROM {numbers}"
        ))
        .await;
}

/// Many looks, few of them within the window, and few that turned.
async fn the_breaker_walks_indexes(world: World) {
    fill(&world).await;
    let (long_ago, lately) = (at(-9_000).to_rfc3339(), at(-60).to_rfc3339());
    let cast = if matches!(world.place, Place::Postgres(_)) { "::timestamptz" } else { "" };
    world
        .run(&format!(
            "INSERT INTO sendready_breaker_looks (domain_id, organization, looked_at, outcome, turned_at, counts) \
             SELECT id, domain, CASE WHEN domain LIKE 'd1__.example' THEN '{lately}'{cast} ELSE '{long_ago}'{cast} END, \
             CASE WHEN domain LIKE 'd1_.example' THEN 'bad' ELSE 'good' END, \
             CASE WHEN domain LIKE 'd1_.example' THEN '{lately}'{cast} END, TRUE FROM email_domains"
        ))
        .await;
    world.run("UPDATE email_domains SET dns_configured = TRUE").await;
    world.run("ANALYZE").await;
    let (looked, turned) = ("idx_sendready_breaker_looks_looked", "idx_sendready_breaker_looks_turned");
    let window = quoted(&at(-600).to_rfc3339());
    walks(&plan(&world, "breaker::LOOKS", &[window.clone(), "20000".to_owned()]).await, &[looked]);
    walks(&plan(&world, "breaker::TURNED_COUNT", &[window.clone(), "7".to_owned()]).await, &[turned]);
    let sample = [window, literal(&world, 7), quoted("x.example"), "20".to_owned()];
    walks(&plan(&world, "breaker::SAMPLE", &sample).await, &[looked]);
    let domain = literal(&world, 7);
    let (now, good) = (quoted(&at(0).to_rfc3339()), quoted("good"));
    walks(&plan(&world, "breaker::BRING_FORWARD", &[domain.clone(), now.clone()]).await, &[]);
    walks(&plan(&world, "breaker::KEEP_LOOK_IF_KNOWN", &[domain, now.clone(), good, now]).await, &[]);
}
