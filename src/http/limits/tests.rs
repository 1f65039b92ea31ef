//! The counting, by a clock that the tests move.

use std::net::Ipv6Addr;

use super::*;

fn limits(count: u32, per: Duration, keys_max: usize) -> Limits {
    let limits = RateLimits::default().with(RateClass::Client, Some(Rate { count, per }));
    Limits::with_keys_max(&limits, keys_max)
}

/// What is told of one request: `ok`, or how long to wait; and the two headers.
fn told(limits: &Limits, key: u128) -> (String, String, String) {
    let mut headers = HeaderMap::new();
    let word = match limits.count(RateClass::Client, key) {
        Ok(left) => {
            left.unwrap().tell(&mut headers);
            "ok".to_owned()
        }
        Err(refused) => {
            refused.left().tell(&mut headers);
            let problem = refused.problem();
            assert_eq!(problem.kind, Kind::TooManyRequests);
            format!("{:?}", problem.retry_after.unwrap())
        }
    };
    let text = |name: HeaderName| headers[name].to_str().unwrap().to_owned();
    (word, text(RATE_LIMIT_POLICY), text(RATE_LIMIT))
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_so() {
    let limits = limits(3, Duration::from_secs(12), 10);
    let check = |why: &str, word: &str, left: &str| {
        let (found, policy, found_left) = told(&limits, 1);
        assert_eq!((found.as_str(), found_left.as_str()), (word, left), "{why}");
        assert_eq!(policy, "\"client\";q=3;w=12");
    };
    check("the first", "ok", "\"client\";r=2;t=4");
    check("the second", "ok", "\"client\";r=1;t=8");
    check("the last", "ok", "\"client\";r=0;t=12");
    check("one too many", "4s", "\"client\";r=0;t=12");
    tokio::time::advance(Duration::from_millis(1_500)).await;
    check("a refusal costs nothing", "2.5s", "\"client\";r=0;t=12");
    tokio::time::advance(Duration::from_millis(2_499)).await;
    check("a moment too early", "1ms", "\"client\";r=0;t=12");
    tokio::time::advance(Duration::from_millis(1)).await;
    check("as long as it said", "ok", "\"client\";r=0;t=12");
    tokio::time::advance(Duration::from_secs(12)).await;
    check("all of it again, after the time that was told", "ok", "\"client\";r=2;t=4");
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_own_and_a_class_without_a_limit_has_none() {
    let limits = limits(1, Duration::from_secs(10), 10);
    assert_eq!(told(&limits, 1).0, "ok");
    assert_eq!(told(&limits, 1).0, "10s");
    assert_eq!(told(&limits, 2).0, "ok", "another key");
    for _ in 0..1_000 {
        assert!(limits.count(RateClass::Operator, 1).unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_the_idle_are_forgotten() {
    let limits = limits(1, Duration::from_secs(10), 4);
    let known = || limits.counters[RateClass::Client as usize].as_ref().unwrap().limiter.len();
    for key in 0..4 {
        assert_eq!(told(&limits, key).0, "ok");
    }
    assert_eq!(told(&limits, 100).0, "ok", "the crowd's bucket");
    assert_eq!(told(&limits, 101).0, "10s", "which all share who find no place");
    assert_eq!(told(&limits, 3).0, "10s", "and whoever has a place keeps it");
    assert_eq!(known(), 4);
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(told(&limits, 102).0, "ok");
    assert_eq!(known(), 1, "those who are as good as new are forgotten when places are wanted");
    tokio::time::advance(Duration::from_secs(100)).await;
    assert_eq!(told(&limits, 103).0, "ok");
    assert_eq!(known(), 1, "and from time to time");
}

#[test]
fn an_ipv6_network_is_one_address() {
    let key = |text: &str| key_of_address(text.parse().unwrap());
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"), "the same by another name");
    let networks = [Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()].map(key_of_address);
    assert_eq!(networks, [0, 0]);
    assert_ne!(key("0.0.0.0"), 0, "no IPv4 address is a network");
}

#[test]
fn the_defaults_are_limits_that_can_be_counted() {
    let config = crate::config::Config::load_with(&crate::config::Flags::default(), []).unwrap();
    let limits = Limits::new(&config.http.rate_limits);
    let has = RateClass::ALL.map(|class| limits.counters[class as usize].is_some());
    assert_eq!(has, RateClass::ALL.map(|class| class != RateClass::Operator));
}
