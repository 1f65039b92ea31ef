//! One post: to nobody but whom the name leads to, never to a private address, and always with an end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sendready::sender::names::{NameFault, Names, SystemNames};
use sendready::sender::target::Target;
use sendready::sender::{Answered, Post, Sender, Settings, TIME_MAX, Unanswered};

use crate::support::receiver::{Receiver, Reply, SOON};

/// Names whose addresses change from one look-up to the next; the last stay. Says how often it was asked.
#[derive(Clone, Default)]
pub struct Changing {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Changing {
    pub fn new(answers: &[&[&str]]) -> Changing {
        let read = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Changing { answers: Arc::new(Mutex::new(answers.iter().map(read).collect())), asked: Arc::default() }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Names for Changing {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NameFault>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let found = if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() };
        async move { Ok(found) }.boxed()
    }
}

/// Names that nobody answers.
struct Silent;

impl Names for Silent {
    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NameFault>> {
        std::future::pending().boxed()
    }
}

/// A sender with so much time for an attempt.
pub fn sender(allow_private: bool, time_max: Duration, names: impl Names + 'static) -> Sender {
    Sender::new(Settings { allow_private, time_max }, Arc::new(names)).unwrap()
}

async fn post(sender: &Sender, url: &str) -> Result<Answered, Unanswered> {
    let post = Post { id: "msg_1", timestamp: 1_800_000_000, signature: "v1,AAAA", body: r#"{"type":"x"}"# };
    sender.post(&Target::parse(url, true).unwrap(), &post).await
}

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_post_is_what_standard_webhooks_says() {
    let receiver = Receiver::start(|_, _| Reply::with(200, "Retry-After: 7\r\n", "thanks\u{202e}")).await;
    let answered = post(&sender(true, TIME_MAX, SystemNames), &receiver.url()).await.unwrap();
    let expected =
        Answered { code: 200, excerpt: Some("thanks\u{fffd}".to_owned()), retry_after: Some("7".to_owned()) };
    assert_eq!(answered, expected);
    let came = &receiver.posts()[0];
    assert!(came.head.starts_with("POST /hook HTTP/1.1\r\n"), "{}", came.head);
    assert_eq!(came.body, br#"{"type":"x"}"#);
    let header = |name| came.header(name).to_owned();
    assert_eq!([header("webhook-id"), header("webhook-timestamp")], ["msg_1", "1800000000"]);
    assert_eq!([header("webhook-signature"), header("content-type")], ["v1,AAAA", "application/json"]);
    assert!(header("user-agent").starts_with("sendready/"), "{}", came.head);
    assert_eq!(header("authorization") + &header("cookie"), "");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_a_way() {
    let elsewhere = Receiver::start(|_, _| Reply::status(200)).await;
    let location = format!("Location: {}\r\n", elsewhere.url());
    for code in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let receiver = Receiver::start(move |_, _| Reply::with(code, &location, "")).await;
        assert_eq!(post(&sender(true, TIME_MAX, SystemNames), &receiver.url()).await.unwrap().code, code);
    }
    assert_eq!(elsewhere.posts().len(), 0, "nobody went there");
}

#[tokio::test]
async fn whatever_a_receiver_does_there_is_an_end() {
    let check = async |why: &str, reply: Reply, expected: Result<u16, Unanswered>| {
        let receiver = Receiver::start(move |_, _| reply.clone()).await;
        let posted = tokio::time::timeout(SOON, post(&sender(true, SHORT, SystemNames), &receiver.url())).await;
        let posted = posted.unwrap_or_else(|_| panic!("{why}: no end"));
        assert_eq!(posted.as_ref().map(|answered| answered.code).map_err(|fault| *fault), expected, "{why}");
        let excerpt = posted.ok().and_then(|answered| answered.excerpt).unwrap_or_default();
        assert!(excerpt.chars().count() <= 1_000, "{why}: {} characters", excerpt.chars().count());
    };
    check("it hangs", Reply::Hang, Err(Unanswered::Timeout)).await;
    check("it closes", Reply::Close, Err(Unanswered::Broken)).await;
    check("an endless head", Reply::Trickle, Err(Unanswered::Timeout)).await;
    check("an endless body", Reply::Endless(200), Ok(200)).await;
    check("an endless fault", Reply::Endless(500), Ok(500)).await;
    check("no HTTP", Reply::Raw("SSH-2.0-x\r\n\r\n".to_owned()), Err(Unanswered::Broken)).await;
    let torn = "HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nhalf".to_owned();
    check("a body that breaks off", Reply::Raw(torn), Ok(200)).await;
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let nobody = post(&sender(true, TIME_MAX, SystemNames), &format!("http://{address}/")).await;
    assert_eq!(nobody, Err(Unanswered::NoConnection));
    let plain = Receiver::start(|_, _| Reply::status(200)).await;
    let url = plain.url().replace("http:", "https:");
    let unsafe_one = post(&sender(true, TIME_MAX, SystemNames), &url).await;
    assert!(matches!(unsafe_one, Err(Unanswered::Tls | Unanswered::Timeout)), "{unsafe_one:?}");
    assert_eq!(plain.posts().len(), 0, "nothing is said before the connection is safe");
    let nowhere = post(&sender(true, TIME_MAX, Changing::default()), "http://hook.example/").await;
    assert_eq!(nowhere, Err(Unanswered::NoAddress));
    let begun = Instant::now();
    assert_eq!(post(&sender(true, SHORT, Silent), "http://hook.example/").await, Err(Unanswered::Timeout));
    assert!(begun.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_spoken_to() {
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    let port = receiver.address.port();
    for private in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1"]
    {
        let names = Changing::new(&[&[private]]);
        let posted = post(&sender(false, TIME_MAX, names.clone()), &format!("http://hook.example:{port}/")).await;
        assert_eq!(posted, Err(Unanswered::Private), "{private}");
        assert_eq!(names.asked(), ["hook.example"]);
    }
    assert_eq!(receiver.posts().len(), 0);
    let names = Changing::new(&[&["127.0.0.1"]]);
    let posted = post(&sender(true, TIME_MAX, names), &format!("http://hook.example:{port}/")).await;
    assert_eq!(posted.unwrap().code, 200, "for development");
    assert_eq!(receiver.posts()[0].header("host"), format!("hook.example:{port}"));
}

/// There is one look-up for an attempt, and what it gave is what is connected to: nothing can change in between.
#[tokio::test]
async fn what_was_looked_up_is_what_is_connected_to() {
    let first = Receiver::start(|_, _| Reply::status(200)).await;
    let port = first.address.port();
    let other = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), port);
    let other = Receiver::at(other, |_, _| Reply::status(200)).await;
    let names = Changing::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let open = sender(true, TIME_MAX, names.clone());
    let url = format!("http://hook.example:{port}/");
    post(&open, &url).await.unwrap();
    assert_eq!((first.posts().len(), other.posts().len(), names.asked().len()), (1, 0, 1));
    post(&open, &url).await.unwrap();
    assert_eq!((first.posts().len(), other.posts().len(), names.asked().len()), (1, 1, 2), "each attempt anew");
}

#[tokio::test]
async fn an_address_in_the_url_passes_no_look_up_and_is_refused_all_the_same() {
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    assert!(Target::parse(&receiver.url(), false).is_err(), "nobody can post there without a target");
}
