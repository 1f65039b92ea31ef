//! Lists: pages that neither repeat nor skip, filters, cursors.

use serde_json::json;

use crate::api::house::House;

/// Every name of a list, page after page of `limit`.
async fn names(house: &House, query: &str, limit: usize) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    assert_eq!(house.operator("GET", "/v1/domains?q=", None).await.status, 200, "every name begins with nothing");
    for _ in 0..50 {
        let page = house.operator("GET", &format!("/v1/domains?limit={limit}{cursor}{query}"), None).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        names.extend(data.iter().map(|domain| domain["domain"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn pages_are_stable_while_domains_come_and_go() {
    let house = House::new().await;
    for n in 0..3 {
        let client = house.client("dominance").await;
        for m in 0..4 {
            house.domain(client, &format!("d{n}{m}.example.com")).await;
            house.hand.advance(std::time::Duration::from_secs(u64::from(m == 1)));
        }
    }
    let all = names(&house, "", 200).await;
    assert_eq!(all.len(), 12);
    for limit in [1, 5, 12] {
        assert_eq!(names(&house, "", limit).await, all, "in pages of {limit}");
    }
    let first = house.operator("GET", "/v1/domains?limit=3", None).await.json();
    let second = first["data"][1]["id"].as_str().unwrap();
    house.operator("DELETE", &format!("/v1/domains/{second}"), None).await;
    let next = house
        .operator("GET", &format!("/v1/domains?limit=3&cursor={}", first["next_cursor"].as_str().unwrap()), None)
        .await;
    assert_eq!(next.json()["data"][0]["domain"], all[3].as_str(), "one that went does not shift the rest");
    assert_eq!(names(&house, "&status=deleted", 5).await, [all[1].clone()]);
    assert_eq!(names(&house, "&q=d2", 5).await.len(), 4);
    assert_eq!(names(&house, "&q=%25", 5).await.len(), 0, "a percent sign is no wildcard");
    assert_eq!(names(&house, "&failing=any&status=pending", 5).await.len(), 11);
}

#[tokio::test]
async fn clients_checks_and_events_are_lists_too() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    house.client("velocity").await;
    let domain = house.domain(client, "example.com").await;
    for _ in 0..3 {
        assert_eq!(house.check_all("").await, 1);
        house.hand.advance(std::time::Duration::from_secs(60));
        house.operator("POST", &format!("/v1/domains/{domain}/verify"), None).await;
    }
    for (path, count) in [("/v1/clients".to_owned(), 2), (format!("/v1/domains/{domain}/checks"), 3)] {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.operator("GET", &format!("{path}?limit=1{cursor}"), None).await.json();
            ids.push(page["data"][0]["id"].as_str().unwrap().to_owned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(ids.len(), count, "{path}");
        let mut sorted = ids.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), count, "{path}: none twice");
    }
    let suspend = json!({"status": "suspended"});
    house.operator("PATCH", &format!("/v1/domains/{domain}"), Some(suspend)).await;
    let events = house.operator("GET", &format!("/v1/domains/{domain}/events"), None).await.json();
    assert_eq!(events["data"][0]["type"], "domain.suspended", "{events}");
    assert!(events["data"][0]["timestamp"].is_string());
}
