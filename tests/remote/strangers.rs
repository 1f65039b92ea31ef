//! What answers is not always a sendready, and not always well.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::json;

use crate::remote::command;

/// A server that gives these answers, one a connection, and tells the heads that it was asked with.
fn server(answers: Vec<String>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, heads) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let _ = asked.send(head(&mut stream));
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, heads)
}

/// What comes until the empty line.
fn head(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    let mut one = [0];
    while !octets.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut one), Ok(1)) {
        octets.push(one[0]);
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn problem(kind: &str, status: u16, detail: &str) -> String {
    json!({"type": format!("/problems/{kind}"), "title": "T", "status": status, "detail": detail}).to_string()
}

/// Lists clients of a server that gives this answer: it fails with 2 and says this.
async fn refused(why: &str, given: String, said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (url, _heads) = server(vec![given]);
    let settings = [("SENDREADY_URL", url.as_str()), ("SENDREADY_KEY", "sr_secret")];
    let (code, out, told) = command(folder.path(), &["clients", "list"], &settings).await;
    assert_eq!(code, 2, "{why}: {out}{told}");
    assert_eq!(out, "", "{why}");
    for said in said {
        assert!(told.contains(said), "{why}: `{said}` is not in: {told}");
    }
    assert!(!told.contains("sr_secret"), "{why}: {told}");
    assert!(!told.chars().any(|letter| letter.is_control() && letter != '\n'), "{why}: {told:?}");
}

#[tokio::test]
async fn each_failure_says_what_to_do_next() {
    let json = "content-type: application/problem+json\r\n";
    let unauthorized = answer("401 Unauthorized", json, &problem("unauthorized", 401, "x"));
    refused("a key that is not known", unauthorized, &["sendready key create", "SENDREADY_KEY"]).await;
    let forbidden = answer("403 Forbidden", json, &problem("forbidden", 403, "only operators\u{1b}[2J may"));
    refused("not allowed", forbidden, &["only operators", "(forbidden)"]).await;
    let late = answer(
        "429 Too Many Requests",
        &format!("{json}retry-after: 3600\r\n"),
        &problem("too-many-requests", 429, "why"),
    );
    refused("a long wait is told", late, &["come again in 3600 s", "why"]).await;
    let failed =
        answer("500 Internal Server Error", &format!("{json}x-request-id: r-1\r\n"), &problem("internal", 500, ""));
    refused("a fault of the service", failed, &["status 500", "r-1", "log"]).await;
    let away =
        answer("503 Service Unavailable", &format!("{json}retry-after: 5\r\n"), &problem("unavailable", 503, ""));
    refused("away", away, &["cannot serve now", "5 s"]).await;
    refused("another program", answer("200 OK", "", "<html>"), &["is no sendready", "--url"]).await;
    refused("another program's refusal", answer("404 Not Found", "", "{\"error\":1}"), &["is no sendready"]).await;
    refused("a proxy's refusal", answer("502 Bad Gateway", "", "<html>"), &["status 502"]).await;
    refused("half an answer", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(), &["broke off"]).await;
    refused("no HTTP", "220 smtp.example ESMTP\r\n".to_owned(), &["broke off"]).await;
}

#[tokio::test]
async fn a_redirect_takes_the_key_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (elsewhere, heads) = server(vec![answer("200 OK", "", "{\"data\":[],\"next_cursor\":null}")]);
    let (url, asked) =
        server(vec![answer("307 Temporary Redirect", &format!("location: {elsewhere}/v1/clients\r\n"), "")]);
    let settings = [("SENDREADY_URL", url.as_str()), ("SENDREADY_KEY", "sr_secret")];
    let (code, _, told) = command(folder.path(), &["clients", "list"], &settings).await;
    assert_eq!(code, 2, "{told}");
    assert!(told.contains(&elsewhere) && told.contains("--url"), "{told}");
    assert!(
        asked.recv_timeout(Duration::from_secs(30)).unwrap().to_lowercase().contains("authorization: bearer sr_secret")
    );
    assert!(heads.try_recv().is_err(), "the other host was asked");
}

#[tokio::test]
async fn a_short_wait_is_waited_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let json = "content-type: application/problem+json\r\nretry-after: 1\r\n";
    let often = answer("429 Too Many Requests", json, &problem("too-many-requests", 429, "why"));
    let fine = answer("200 OK", "", "{\"data\":[{\"id\":\"x\"}],\"next_cursor\":null}");
    let (url, _heads) = server(vec![often.clone(), fine]);
    let settings = [("SENDREADY_URL", url.as_str()), ("SENDREADY_KEY", "sr_secret")];
    let (code, out, told) = command(folder.path(), &["clients", "list"], &settings).await;
    assert_eq!((code, out.as_str()), (0, "{\"id\":\"x\"}\n"), "{told}");
    assert!(told.contains("going on in 1 s"), "{told}");
    let (url, _heads) = server(vec![often.clone(), often]);
    let (code, _, told) = command(folder.path(), &["clients", "list", "--url", &url], &settings).await;
    assert_eq!((code, told.contains("come again in 1 s")), (2, true), "{told}");
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let body = format!("[{}]", " ".repeat(17 << 20));
    let (url, _heads) = server(vec![answer("200 OK", "", &body)]);
    let (code, _, told) = command(folder.path(), &["clients", "list", "--url", &url], &[]).await;
    assert_eq!((code, told.contains("is no sendready")), (2, true), "{told}");
}

#[tokio::test]
async fn pages_that_never_end_do() {
    let folder = tempfile::tempdir().unwrap();
    let page = answer("200 OK", "", "{\"data\":[{\"id\":\"x\"}],\"next_cursor\":\"again\"}");
    let (url, _heads) = server(vec![page; 2]);
    let (code, out, told) = command(folder.path(), &["clients", "list", "--all", "--url", &url], &[]).await;
    assert_eq!((code, out.lines().count()), (0, 2), "{told}");
}
