//! A connection that speaks as little HTTP/1.1 as it must. The tests have it, too: tests/waiters.rs.

use std::error::Error;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Whatever went wrong.
pub type Fault = Box<dyn Error + Send + Sync>;

/// One connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    /// The last answer's body.
    pub body: Vec<u8>,
}

impl Connection {
    /// To a server.
    pub async fn new(address: &str) -> Result<Connection, Fault> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::with_capacity(4_096, stream), line: String::new(), body: Vec::new() })
    }

    /// Sends a request.
    pub async fn ask(&mut self, request: &str) -> Result<(), Fault> {
        Ok(self.stream.get_mut().write_all(request.as_bytes()).await?)
    }

    /// Status and tag; the body is left in `body`, but that of a stream is not read.
    pub async fn head(&mut self) -> Result<(u16, String), Fault> {
        let (mut status, mut length, mut tag) = (0, 0, String::new());
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let line = self.line.trim_end();
            if status == 0 {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no status")?;
            } else if line.is_empty() {
                break;
            } else if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse()?;
            } else if let Some(text) = line.strip_prefix("etag: ") {
                tag = text.to_owned();
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok((status, tag))
    }

    /// The next line of a stream that begins so.
    pub async fn line_of(&mut self, beginning: &str) -> Result<String, Fault> {
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line).await? == 0 {
                return Err("the stream ended".into());
            }
            if let Some(rest) = self.line.trim_end().strip_prefix(beginning) {
                return Ok(rest.to_owned());
            }
        }
    }
}
