//! The guide to webhooks does what it says: its commands are run, its example is signed so, its program believes it.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::process::Serve;

fn guide() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/webhooks.md")).unwrap()
}

/// The blocks of one language, in their order.
fn blocks(language: &str) -> Vec<String> {
    let (guide, fence) = (guide(), format!("```{language}\n"));
    guide.split(&fence).skip(1).map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// What stands between backquotes behind a word.
fn said(word: &str) -> String {
    let guide = guide().replace('\n', " ");
    let (_, rest) = guide.split_once("To try yours").unwrap();
    rest.split_once(word).unwrap().1.split('`').nth(1).unwrap().to_owned()
}

#[test]
fn the_example_is_signed_as_the_guide_says() {
    let hook = standardwebhooks::Webhook::new(&said("secret")).unwrap();
    let timestamp = said("timestamp").parse().unwrap();
    assert_eq!(hook.sign(&said(" id "), timestamp, said("body").as_bytes()).unwrap(), said("signature is"));
}

#[test]
fn the_guides_program_believes_the_example_and_nothing_else() {
    let program = format!(
        "{}\nimport sys\nsecret, id, timestamp, body, signature = sys.argv[1:]\n\
         headers = {{'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': 'v1,AAAA ' + signature}}\n\
         now, other = int(timestamp), dict(headers, **{{'webhook-id': 'x'}})\n\
         print(verify(secret, headers, body.encode(), now), verify(secret, other, body.encode(), now),\n\
         verify(secret, headers, body.encode() + b' ', now), verify(secret, headers, body.encode(), now + 301))\n",
        blocks("python").concat()
    );
    let arguments = [said("secret"), said(" id "), said("timestamp"), said("body"), said("signature is")];
    let Ok(output) = Command::new("python3").arg("-c").arg(program).args(arguments).output() else {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        eprintln!("skipped: python3 is not here; it runs the guide's program");
        return;
    };
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.trim(), "True False False False", "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_guides_commands_work() {
    let commands = blocks("sh");
    assert!(commands.len() >= 5, "{commands:#?}");
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(folder.path(), "sqlite:guide.db", &["--resolver", "127.0.0.1:9"], &[]);
    // A name that nobody has (RFC 6761 §6.4), at a resolver that is not there: nobody is posted to.
    let (_, endpoint) =
        serve.api("POST", "/v1/webhook-endpoints", Some(json!({"url": "https://hooks.invalid/"}))).await;
    for command in commands {
        let output = Command::new("sh")
            .args(["-ec", &command])
            .env("SENDREADY_URL", &serve.url)
            .env("SENDREADY_KEY", &serve.key)
            .env("ENDPOINT_ID", endpoint["id"].as_str().unwrap())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        let told = String::from_utf8_lossy(&output.stderr);
        if told.contains("curl: not found") {
            assert!(std::env::var_os("CI").is_none(), "curl is missing");
            eprintln!("skipped: curl is not here; it runs the guide's commands");
            return;
        }
        assert!(output.status.success(), "{command}\n{shown}\n{told}");
        assert!(shown.starts_with('{'), "{command}\n{shown}");
    }
}
