//! A block list that knotd serves, asked as the service asks.

use std::time::Duration;

use sendready::dns::Settings;
use sendready::dns::hickory::Hickory;
use sendready::jobs::outside;
use sendready::protocol::name::Name;
use sendready::service::blocklists::Blocklists;
use serde_json::json;

use crate::api::house::House;
use crate::support::knot::Knot;

#[tokio::test]
async fn a_list_on_a_name_server() {
    let text = "@ SOA ns h 1 3600 600 86400 30\n@ NS ns\nns A 127.0.0.1\ntest A 127.0.0.2\n\
        example.com A 127.0.1.5\nexample.com TXT \"botnet\"\n";
    let knot = Knot::start(&[("dbl.test", text)]);
    let resolver = Hickory::new(Settings {
        servers: vec![knot.address],
        timeout: Duration::from_secs(5),
        in_flight_max: 16,
        authoritative_port: knot.address.port(),
        allow_private_servers: true,
    });
    let house = House::new().await;
    let client = house.client("velocity").await;
    let (listed, free) = (house.domain(client, "www.example.com").await, house.domain(client, "example.net").await);
    outside::turn(&house.service).await.unwrap();
    let mut lists = Blocklists::new(vec![Name::parse("dbl.test").unwrap()]);
    for _ in 0..2 {
        assert!(house.service.lists_ask(&mut lists, &resolver).await.unwrap());
    }
    for (id, word, codes, reason) in
        [(listed, true, json!(["127.0.1.5"]), json!("botnet")), (free, false, json!([]), json!(null))]
    {
        let shown = house.operator("GET", &format!("/v1/domains/{id}/reputation"), None).await.json();
        let one = &shown["lists"][0];
        assert_eq!((&one["listed"], &one["codes"], &one["reason"]), (&json!(word), &codes, &reason), "{shown}");
    }
}
