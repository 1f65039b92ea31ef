//! `sendready health`: asks a running service whether it can serve. For container health checks, without a shell.

use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::Common;
use crate::cli::exit::Exit;

/// How long the service may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// The longest head of an answer that is read, in octets; the status stands in its first line.
const HEAD_OCTETS_MAX: usize = 256;

/// Ask a running service whether it is ready
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Where it listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    address: String,
}

/// Runs the command: 0 ready, 1 not ready or not there.
pub async fn run(args: &HealthArgs, common: &Common) -> Exit {
    match tokio::time::timeout(ANSWER_TIME_MAX, ask(&args.address)).await {
        Ok(Ok(status)) if status == "200" => Exit::Valid,
        Ok(Ok(status)) => not_ready(common, &format!("{}: not ready (status {status})", args.address)),
        Ok(Err(fault)) => not_ready(common, &format!("{}: {fault}", args.address)),
        Err(_) => not_ready(common, &format!("{}: no answer within 3 s", args.address)),
    }
}

fn not_ready(common: &Common, why: &str) -> Exit {
    common.fault(why);
    Exit::NotValid
}

/// One request by hand: a client library for one line would be the larger risk.
async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut head = Vec::with_capacity(HEAD_OCTETS_MAX);
    stream.take(HEAD_OCTETS_MAX as u64).read_to_end(&mut head).await?;
    let head = String::from_utf8_lossy(&head);
    Ok(head.split_whitespace().nth(1).unwrap_or("nothing").to_owned())
}
