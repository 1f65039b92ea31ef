//! In a real browser.

use crate::support::browser::{Browser, Look};

#[tokio::test]
async fn a_browser_starts_looks_and_ends() {
    const PLAIN: &str = "data:text/html,<!doctype html><html lang=en><title>t</title><meta name=viewport content='width=device-width'>\
        <main><h1>Hello</h1><a href='%23x' onclick='document.title=42'>go</a></main>";
    let browser = Browser::open(Look::PHONE).await;
    browser.goto(PLAIN).await;
    assert_eq!(browser.text("h1").await, "Hello");
    assert_eq!(browser.value("window.innerWidth").await, 360);
    browser.assert_harmless("a plain page").await;
    browser.click("a").await;
    browser.until("the script's title", "document.title == '42'").await;
    let file = browser.shoot(&format!("plain-{}", Look::PHONE.name)).await;
    assert!(std::fs::metadata(&file).unwrap().len() > 500, "a picture");
    std::fs::remove_file(file).unwrap();
    browser.look(Look::DARK).await;
    assert_eq!(browser.value("matchMedia('(prefers-color-scheme: dark)').matches").await, true);
    browser.value("console.error('a fault') || 1").await;
    assert!(browser.console().await.iter().any(|line| line.contains("a fault")));
    browser.close().await;

    let browser = Browser::open(Look::SCRIPTLESS).await;
    browser.goto(PLAIN).await;
    browser.click("a").await;
    assert_eq!(browser.value("document.title").await, "t", "no script of the page runs");
}
