//! A real Chromium, driven by WebDriver: chromedriver and browser of our own, on a port and a profile of their own.
//!
//! ```text
//! let browser = Browser::open(Look::default()).await;             // Look::DARK, Look::PHONE, Look::SCRIPTLESS, …
//! browser.goto(&url).await;
//! browser.until("the verdict", r#"document.querySelector(".verdict").textContent == "valid""#).await;
//! browser.shoot("setup-missing-light").await;                      // target/screenshots/setup-missing-light.png
//! browser.assert_harmless().await;                                 // no console errors, no scroll sideways, axe finds nothing serious
//! browser.close().await;                                           // else it ends when dropped, also on panic
//! ```
//!
//! One is a lot for a small machine: `.config/nextest.toml` runs tests in modules `pages::…::real` one at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::free_port;

/// How long a page may take to come to what is awaited, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// How somebody looks at a page.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// What people call it; part of a screenshot's name.
    pub name: &'static str,
    /// CSS pixels.
    pub width: u32,
    /// CSS pixels.
    pub height: u32,
    /// `prefers-color-scheme`.
    pub dark: bool,
    /// Whether scripts run.
    pub script: bool,
}

impl Look {
    pub const LIGHT: Look = Look { name: "light", width: 1_100, height: 900, dark: false, script: true };
    pub const DARK: Look = Look { name: "dark", dark: true, ..Look::LIGHT };
    pub const PHONE: Look = Look { name: "phone", width: 360, height: 740, ..Look::LIGHT };
    pub const SCRIPTLESS: Look = Look { name: "scriptless", script: false, ..Look::LIGHT };
}

/// A running browser; it and its driver are killed when dropped.
pub struct Browser {
    client: Client,
    driver: Driver,
}

/// The driver's process, and the folder by which the browser's are known.
struct Driver {
    child: Child,
    profile: TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The driver has no time to end the browser; its processes name the profile, which is nobody else's.
        let profile = self.profile.path().to_string_lossy().into_owned();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(&profile)
                && let Some(id) = Pid::from_raw(id)
            {
                let _ = kill_process(id, Signal::KILL);
            }
        }
    }
}

impl Browser {
    /// Starts one.
    pub async fn open(look: Look) -> Browser {
        let port = free_port();
        let child = Command::new("chromedriver")
            .args([format!("--port={port}"), "--log-level=SEVERE".to_owned()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there: install the Debian packages `chromium` and `chromium-driver`");
        let driver = Driver { child, profile: tempfile::tempdir().unwrap() };
        let capabilities = capabilities(look, driver.profile.path());
        let begun = Instant::now();
        let client = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone());
            match builder.connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(client) => break client,
                Err(fault) => assert!(begun.elapsed() < PATIENCE, "Chromium does not start: {fault}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let browser = Browser { client, driver };
        browser.look(look).await;
        browser
    }

    /// Looks otherwise from now on; whether scripts run cannot change.
    pub async fn look(&self, look: Look) {
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
        let metrics =
            json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Opens a page.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Clicks the first element of this CSS selector.
    pub async fn click(&self, css: &str) {
        self.until_done(css, async |element| element.click().await).await;
    }

    /// The rendered text of the first element of this CSS selector.
    pub async fn text(&self, css: &str) -> String {
        self.until_done(css, async |element| element.text().await).await
    }

    /// Does something with the first element of this CSS selector; again where the page was about to become another.
    async fn until_done<T>(&self, css: &str, act: impl AsyncFn(Element) -> Result<T, CmdError>) -> T {
        let begun = Instant::now();
        loop {
            let done = match self.client.find(Locator::Css(css)).await {
                Ok(element) => act(element).await,
                Err(fault) => Err(fault),
            };
            match done {
                Ok(done) => return done,
                Err(fault) => assert!(begun.elapsed() < PATIENCE, "{css}: {fault}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The value of an expression of JavaScript.
    pub async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return ({expression});"), Vec::new()).await.unwrap()
    }

    /// Waits until an expression of JavaScript is true.
    pub async fn until(&self, what: &str, expression: &str) {
        let begun = Instant::now();
        while self.value(expression).await != json!(true) {
            if begun.elapsed() > PATIENCE {
                let shown = self.text("body").await;
                panic!("{what} did not come about; console: {:?}; the page says:\n{shown}", self.console().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A command of the DevTools protocol, and its result.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.client.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await.unwrap()
    }

    /// What was written to the console since the last look, as `LEVEL text`.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(Vendor { path: "se/log", body: json!({"type": "browser"}) }).await.unwrap();
        let line = |entry: &Value| format!("{} {}", entry["level"], entry["message"]).replace('"', "");
        entries.as_array().unwrap().iter().map(line).collect()
    }

    /// Writes the whole page to `target/screenshots/NAME.png`, for people to look at.
    pub async fn shoot(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let shot = self.devtools("Page.captureScreenshot", whole).await;
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()).unwrap();
        file
    }

    /// Nothing in the console, nothing that scrolls sideways, and nothing serious found by axe-core.
    pub async fn assert_harmless(&self, what: &str) {
        let console = self.console().await;
        assert!(console.is_empty(), "{what}: the console says {console:#?}");
        let widths = self.value("[document.documentElement.scrollWidth, window.innerWidth]").await;
        assert!(widths[0].as_u64() <= widths[1].as_u64(), "{what}: the page scrolls sideways: {widths}");
        let faults = self.axe().await;
        assert!(faults.is_empty(), "{what}: axe-core finds {faults:#?}");
    }

    /// What axe-core finds serious or critical: a line each.
    pub async fn axe(&self) -> Vec<String> {
        // Through the debugger: the page's own policy lets no foreign script in, and shall not.
        let script = include_str!("../../fixtures/axe/axe.min.js");
        self.devtools("Runtime.evaluate", json!({"expression": script})).await;
        let run = "axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found.violations))";
        let evaluate = json!({"expression": run, "awaitPromise": true, "returnByValue": true});
        let answer = self.devtools("Runtime.evaluate", evaluate).await;
        let found = answer["result"]["value"].as_str().unwrap_or_else(|| panic!("axe does not run: {answer:#}"));
        let found: Vec<Value> = serde_json::from_str(found).unwrap();
        let serious = |one: &&Value| ["serious", "critical"].iter().any(|impact| one["impact"] == **impact);
        let line = |one: &Value| format!("{}: {} at {}", one["id"], one["help"], one["nodes"][0]["html"]);
        found.iter().filter(serious).map(line).collect()
    }

    /// Ends it in good order.
    pub async fn close(self) {
        let Browser { client, driver } = self;
        let _ = client.close().await;
        drop(driver);
    }
}

fn capabilities(look: Look, profile: &Path) -> serde_json::Map<String, Value> {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--lang=en-GB".to_owned(),
        format!("--user-data-dir={}", profile.display()),
        format!("--window-size={},{}", look.width, look.height),
    ];
    if rustix::process::geteuid().is_root() {
        // Chromium's sandbox refuses to be started by root.
        arguments.push("--no-sandbox".to_owned());
    }
    let mut preferences = json!({"intl.accept_languages": "en-GB"});
    if !look.script {
        preferences["profile.managed_default_content_settings.javascript"] = json!(2);
    }
    let capabilities = json!({
        "goog:chromeOptions": {"args": arguments, "prefs": preferences},
        "goog:loggingPrefs": {"browser": "ALL"},
    });
    capabilities.as_object().unwrap().clone()
}

/// A command of chromedriver beyond WebDriver.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
