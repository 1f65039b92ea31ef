//! A receiver of webhooks that does what it is told: it takes, refuses, redirects, hangs, breaks off or never ends.
//!
//! ```text
//! let receiver = Receiver::start(|_, number| if number == 0 { Reply::Hang } else { Reply::status(200) }).await;
//! let posts = receiver.wait(2).await;             // waits for the posts themselves
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a test waits for what must happen soon, on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// What came.
#[derive(Debug, Clone)]
pub struct Post {
    /// The first line and the headers, as they came.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Post {
    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        let of = |line: &str| line.split_once(": ").is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        self.head.lines().find(|line| of(line)).and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What to do with a post.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These octets, and the end of the connection.
    Raw(String),
    /// Nothing, and the connection stays open.
    Hang,
    /// Nothing, and the connection ends.
    Close,
    /// A head with this status, and a body without an end.
    Endless(u16),
    /// A head without an end, an octet now and then.
    Trickle,
}

impl Reply {
    /// An empty answer.
    pub fn status(status: u16) -> Reply {
        Reply::Raw(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"))
    }

    /// An answer with headers, each with its line's end, and a body.
    pub fn with(status: u16, headers: &str, body: &str) -> Reply {
        Reply::Raw(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
    }
}

/// A receiver. Ends when dropped.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    posts: watch::Receiver<Vec<Post>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Listens on loopback, and asks `reply` what to do with each post; it gets the post's number, too.
    pub async fn start(reply: impl Fn(&Post, usize) -> Reply + Send + Sync + 'static) -> Receiver {
        Receiver::at(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), reply).await
    }

    /// The same at a place of one's own.
    pub async fn at(at: SocketAddr, reply: impl Fn(&Post, usize) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, posts) = watch::channel(Vec::new());
        let (told, reply) = (Arc::new(told), Arc::new(reply));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, reply) = (Arc::clone(&told), Arc::clone(&reply));
                connections.spawn(async move {
                    serve(stream, &told, &*reply).await;
                });
            }
        });
        Receiver { address, posts, _tasks: tasks }
    }

    /// Where to post.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What came by now.
    pub fn posts(&self) -> Vec<Post> {
        self.posts.borrow().clone()
    }

    /// Waits until so many posts have come; all that came.
    pub async fn wait(&self, count: usize) -> Vec<Post> {
        let mut posts = self.posts.clone();
        let came = tokio::time::timeout(SOON, posts.wait_for(|posts| posts.len() >= count)).await;
        assert!(came.is_ok(), "{} posts of {count} came", self.posts().len());
        self.posts()
    }
}

async fn serve(mut stream: TcpStream, told: &watch::Sender<Vec<Post>>, reply: &(dyn Fn(&Post, usize) -> Reply + Sync)) {
    let Some(post) = read(&mut stream).await else { return };
    let mut number = 0;
    told.send_modify(|posts| {
        number = posts.len();
        posts.push(post.clone());
    });
    // The sender may have gone away; that is its affair.
    let _ = answer(&mut stream, reply(&post, number)).await;
}

async fn read(stream: &mut TcpStream) -> Option<Post> {
    let (mut octets, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(octets[..end].to_vec()).unwrap();
            let post = Post { head, body: octets[end + 4..].to_vec() };
            if post.body.len() >= post.header("content-length").parse().unwrap_or(0) {
                return Some(post);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => octets.extend(&buffer[..count]),
        }
    }
}

async fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Raw(text) => stream.write_all(text.as_bytes()).await?,
        Reply::Close => {}
        Reply::Hang => {
            // Until the sender goes away.
            let _ = stream.read(&mut [0; 1]).await;
        }
        Reply::Endless(status) => {
            stream.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            }
        }
        Reply::Trickle => {
            stream.write_all(b"HTTP/1.1 200 X\r\nx-slow: ").await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    stream.shutdown().await
}
