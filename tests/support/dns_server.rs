//! A DNS server on loopback, UDP and TCP on one port, that answers out of zone text and lies on demand.
//!
//! ```text
//! let server = DnsServer::zones("example.test. SOA ns h 1 1 1 1 60\nexample.test. TXT hello\n");
//! let settings = Settings { servers: vec![server.address()], .. };     // or `--resolver 127.0.0.1:PORT`
//! server.set_zones("example.test. TXT changed\n");                      // from now on, while it runs
//! server.set_script(|question| Scripted::Drop);                         // or anything else, by question
//! server.set_script(|_| Scripted::code(ResponseCode::Refused).after(Duration::from_secs(1)));
//! assert_eq!(server.asked().len(), 2);                                  // every packet that came, with its flags
//! drop(server);                                                         // stops it
//! ```
//!
//! It runs on a thread of its own, so it serves async tests, plain tests and child processes alike.
//! Faults of the zone text (`;@ servfail NAME TYPE`) become packets, too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_resolver::proto::rr::{self, RData, Record};
use sendready::dns::zone_text::ZoneText;
use sendready::protocol::name::Name;
use sendready::verify::evidence::{Alias, Answer, Authority, Failure, Question, RecordData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;

/// What the server does with one question.
#[derive(Debug, Clone)]
pub enum Scripted {
    /// Answers, whole, as a recursive server does; TC over UDP where it does not fit. A failure becomes its packet.
    Answer(Answer),
    /// Sends this message; id, response bit and, where there is none, the question are filled in.
    Message(Box<Message>),
    /// Sends these octets after the two of the right id.
    Octets(Vec<u8>),
    /// Says nothing. Over TCP: closes.
    Drop,
    /// Does it later.
    After(Duration, Box<Scripted>),
    /// Sends TC over UDP, and does it over TCP.
    TcThen(Box<Scripted>),
    /// Does the first over UDP, the second over TCP.
    Either(Box<Scripted>, Box<Scripted>),
    /// Does it over UDP under a wrong id.
    WrongId(Box<Scripted>),
    /// Does it over UDP with the question's name in lower case.
    LowerCase(Box<Scripted>),
}

impl Scripted {
    /// This, after a while.
    pub fn after(self, time: Duration) -> Scripted {
        Scripted::After(time, Box::new(self))
    }

    /// A bare response code.
    pub fn code(code: ResponseCode) -> Scripted {
        Scripted::Message(Box::new(bare(code)))
    }

    /// A SERVFAIL with an extended error. RFC 8914.
    pub fn extended_error(code: u8) -> Scripted {
        let mut message = bare(ResponseCode::ServFail);
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Unknown(15, vec![0, code]));
        message.set_edns(edns);
        Scripted::Message(Box::new(message))
    }

    /// A NOERROR message with these records, each `(owner, TTL, content)`, in answer and authority.
    pub fn records(answers: &[Row<'_>], authorities: &[Row<'_>]) -> Scripted {
        let mut message = bare(ResponseCode::NoError);
        let record = |(owner, ttl, data): &Row<'_>| record(&Name::parse(owner).unwrap(), *ttl, data);
        message.add_answers(answers.iter().map(record));
        message.add_authorities(authorities.iter().map(record));
        Scripted::Message(Box::new(message))
    }
}

/// A record to send: owner, TTL in seconds, content.
pub type Row<'r> = (&'r str, u32, RecordData);

/// One question as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The question, folded.
    pub question: Question,
    /// The name's octets with dots, in the case that came.
    pub spelled: Vec<u8>,
    /// Whether it came over TCP.
    pub over_tcp: bool,
    /// The RD bit.
    pub recursion_desired: bool,
    /// The AD bit: whether the asker wants to know if the answer is authentic. RFC 6840 §5.7.
    pub authentic_wanted: bool,
    /// The UDP payload that EDNS offers, where there is EDNS.
    pub payload: Option<u16>,
}

type Script = Arc<dyn Fn(&Question) -> Scripted + Send + Sync>;

struct Shared {
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    in_work: AtomicUsize,
    in_work_most: AtomicUsize,
}

/// A running server; stops when dropped.
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl DnsServer {
    /// A server of these zones.
    #[track_caller]
    pub fn zones(text: &str) -> DnsServer {
        DnsServer::script(zones_script(text))
    }

    /// A server that does what `script` says.
    pub fn script(script: impl Fn(&Question) -> Scripted + Send + Sync + 'static) -> DnsServer {
        DnsServer::on(sockets(Ipv4Addr::LOCALHOST.into()).unwrap(), script)
    }

    /// The same at a given address: the servers of one zone share a port and differ in their addresses.
    #[track_caller]
    pub fn script_at(address: SocketAddr, script: impl Fn(&Question) -> Scripted + Send + Sync + 'static) -> DnsServer {
        let (udp, tcp) = (std::net::UdpSocket::bind(address).unwrap(), std::net::TcpListener::bind(address).unwrap());
        udp.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        DnsServer::on((udp, tcp), script)
    }

    /// The same on IPv6; nothing where the machine has none.
    pub fn on_ipv6(script: impl Fn(&Question) -> Scripted + Send + Sync + 'static) -> Option<DnsServer> {
        Some(DnsServer::on(sockets(Ipv6Addr::LOCALHOST.into())?, script))
    }

    fn on(
        (udp, tcp): (std::net::UdpSocket, std::net::TcpListener),
        script: impl Fn(&Question) -> Scripted + Send + Sync + 'static,
    ) -> DnsServer {
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            asked: Mutex::default(),
            in_work: AtomicUsize::new(0),
            in_work_most: AtomicUsize::new(0),
        });
        let address = udp.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let udp = Arc::new(UdpSocket::from_std(udp).unwrap());
                let tcp = TcpListener::from_std(tcp).unwrap();
                tokio::spawn(serve_udp(udp, Arc::clone(&served)));
                tokio::spawn(serve_tcp(tcp, served));
                let _ = stopped.await;
            });
        });
        DnsServer { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves other zones from now on.
    #[track_caller]
    pub fn set_zones(&self, text: &str) {
        *lock(&self.shared.script) = Arc::new(zones_script(text));
    }

    /// Does something else from now on.
    pub fn set_script(&self, script: impl Fn(&Question) -> Scripted + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Every question that came, in order, retransmissions too.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// How many questions were being answered at once, at most.
    pub fn in_work_most(&self) -> usize {
        self.shared.in_work_most.load(Ordering::SeqCst)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[track_caller]
fn zones_script(text: &str) -> impl Fn(&Question) -> Scripted + Send + Sync + 'static {
    let zones: ZoneText = text.parse().unwrap();
    move |question| Scripted::Answer(zones.answer(question))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A UDP and a TCP socket with one port; nothing where the machine has no such address. The TCP one may be taken, so
/// there is more than one try.
fn sockets(ip: IpAddr) -> Option<(std::net::UdpSocket, std::net::TcpListener)> {
    for _ in 0..100 {
        let udp = std::net::UdpSocket::bind((ip, 0)).ok()?;
        if let Ok(tcp) = std::net::TcpListener::bind(udp.local_addr().unwrap()) {
            udp.set_nonblocking(true).unwrap();
            tcp.set_nonblocking(true).unwrap();
            return Some((udp, tcp));
        }
    }
    panic!("no port is free for both UDP and TCP");
}

async fn serve_udp(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut octets = vec![0; 4_096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut octets).await else { continue };
        let packet = octets[..length].to_vec();
        let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
        tokio::spawn(async move {
            for reply in shared.replies(&packet, Transport::Udp).await {
                let _ = socket.send_to(&reply, from).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(serve_connection(stream, Arc::clone(&shared)));
    }
}

async fn serve_connection(mut stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut packet = vec![0; usize::from(length)];
        stream.read_exact(&mut packet).await?;
        let replies = shared.replies(&packet, Transport::Tcp).await;
        if replies.is_empty() {
            return Ok(());
        }
        for reply in replies {
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await?;
            stream.write_all(&reply).await?;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

impl Shared {
    /// The packets to send for one that came.
    async fn replies(&self, packet: &[u8], transport: Transport) -> Vec<Vec<u8>> {
        let Ok(request) = Message::from_vec(packet) else { return Vec::new() };
        let Some(query) = request.queries.first().cloned() else { return Vec::new() };
        let Some(asked) = asked(&request, &query, transport) else { return Vec::new() };
        let now = self.in_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.in_work_most.fetch_max(now, Ordering::SeqCst);
        lock(&self.asked).push(asked.clone());
        let script = Arc::clone(&lock(&self.script));
        let mut reply = ReplyTo { request: &request, query, transport, id: request.metadata.id };
        let packets = reply.packets(&asked.question, script(&asked.question)).await;
        self.in_work.fetch_sub(1, Ordering::SeqCst);
        packets
    }
}

fn asked(request: &Message, query: &Query, transport: Transport) -> Option<Asked> {
    let record_type = RecordType::ALL.into_iter().find(|ours| ours.as_str() == query.query_type.to_string())?;
    let name = Name::from_labels(query.name.iter()).ok()?;
    let labels: Vec<&[u8]> = query.name.iter().collect();
    Some(Asked {
        question: Question::new(name, record_type),
        spelled: labels.join(&b'.'),
        over_tcp: transport == Transport::Tcp,
        recursion_desired: request.metadata.recursion_desired,
        authentic_wanted: request.metadata.authentic_data,
        payload: request.edns.as_ref().map(Edns::max_payload),
    })
}

struct ReplyTo<'r> {
    request: &'r Message,
    query: Query,
    transport: Transport,
    id: u16,
}

impl ReplyTo<'_> {
    async fn packets(&mut self, question: &Question, scripted: Scripted) -> Vec<Vec<u8>> {
        let mut scripted = scripted;
        loop {
            scripted = match scripted {
                Scripted::Drop => return Vec::new(),
                Scripted::Octets(octets) => return vec![[&self.id.to_be_bytes()[..], &octets].concat()],
                Scripted::Message(message) => return vec![self.whole(*message)],
                Scripted::Answer(answer) => match played(question, answer) {
                    Ok(message) => return vec![self.whole(message)],
                    Err(other) => other,
                },
                Scripted::After(time, then) => {
                    tokio::time::sleep(time).await;
                    *then
                }
                Scripted::TcThen(then) if self.transport == Transport::Tcp => *then,
                Scripted::TcThen(_) => return vec![self.truncated()],
                Scripted::Either(_, tcp) if self.transport == Transport::Tcp => *tcp,
                Scripted::Either(udp, _) => *udp,
                Scripted::WrongId(then) => {
                    if self.transport == Transport::Udp {
                        self.id ^= 1;
                    }
                    *then
                }
                Scripted::LowerCase(then) => {
                    if self.transport == Transport::Udp {
                        self.query.name = self.query.name.to_lowercase();
                    }
                    *then
                }
            };
        }
    }

    /// The message as a packet, or one that says TC where it does not fit. RFC 6891 §6.2.5.
    fn whole(&self, mut message: Message) -> Vec<u8> {
        message.metadata.id = self.id;
        message.metadata.message_type = MessageType::Response;
        message.metadata.recursion_desired = self.request.metadata.recursion_desired;
        if message.queries.is_empty() {
            message.queries.push(self.query.clone());
        }
        if self.request.edns.is_some()
            && message.edns.is_none()
            && message.metadata.response_code != ResponseCode::FormErr
        {
            message.set_edns(Edns::new());
        }
        let octets = message.to_vec().unwrap();
        let room = match self.transport {
            Transport::Udp => usize::from(self.request.max_payload()),
            Transport::Tcp => usize::from(u16::MAX),
        };
        if octets.len() > room { self.truncated() } else { octets }
    }

    fn truncated(&self) -> Vec<u8> {
        let mut message = bare(ResponseCode::NoError);
        message.metadata.id = self.id;
        message.metadata.truncation = true;
        message.queries = vec![self.query.clone()];
        message.to_vec().unwrap()
    }
}

/// A response without records, as from a server that recurses.
fn bare(code: ResponseCode) -> Message {
    let mut message = Message::response(0, OpCode::Query);
    message.metadata.response_code = code;
    message.metadata.recursion_available = true;
    message
}

/// The message of an answer, or what else a server does that fails in this way.
fn played(question: &Question, answer: Answer) -> Result<Message, Scripted> {
    let mut message = bare(ResponseCode::NoError);
    message.metadata.authentic_data = answer.is_authentic();
    let aliases = answer.aliases().to_vec();
    message.add_answers(aliases.iter().map(alias_record));
    let end = aliases.last().map_or(&question.name, |alias| &alias.target);
    match answer {
        Answer::Found(found) => {
            message.add_answers(found.records.iter().map(|data| record(end, found.ttl_seconds, data)));
        }
        Answer::NoData(denial) => {
            message.add_authorities(denial.authority.iter().map(soa_record));
        }
        Answer::NoSuchName(denial) => {
            message.metadata.response_code = ResponseCode::NXDomain;
            message.add_authorities(denial.authority.iter().map(soa_record));
        }
        Answer::Unknown(failure) => {
            return Err(match failure {
                Failure::Servfail => Scripted::code(ResponseCode::ServFail),
                Failure::Refused => Scripted::code(ResponseCode::Refused),
                Failure::Timeout | Failure::Unreachable => Scripted::Drop,
                Failure::Truncated => Scripted::TcThen(Box::new(Scripted::Drop)),
                Failure::Malformed => Scripted::Octets(vec![0x81, 0x80, 0, 1, 0xff]),
                Failure::Lame => {
                    let server = RecordData::Ns(Name::parse("ns.elsewhere.test").unwrap());
                    Scripted::records(&[], &[(&question.name.to_string(), 60, server)])
                }
                Failure::Bogus => Scripted::extended_error(6),
                Failure::Partial => unreachable!("no single server's word"),
            });
        }
    }
    Ok(message)
}

fn alias_record(alias: &Alias) -> Record {
    record(&alias.owner, alias.ttl_seconds, &RecordData::Cname(alias.target.clone()))
}

fn soa_record(authority: &Authority) -> Record {
    let ttl = authority.negative_ttl_seconds;
    let primary = authority.zone.child("ns").unwrap();
    record(&authority.zone, ttl, &RecordData::Soa { primary, serial: 1, minimum_seconds: ttl })
}

/// A record for the wire.
pub fn record(owner: &Name, ttl: u32, data: &RecordData) -> Record {
    let data = match data {
        RecordData::A(address) => RData::A(A(*address)),
        RecordData::Aaaa(address) => RData::AAAA(AAAA(*address)),
        RecordData::Cname(name) => RData::CNAME(CNAME(wire_name(name))),
        RecordData::Mx { preference, exchange } => RData::MX(MX::new(*preference, wire_name(exchange))),
        RecordData::Ns(name) => RData::NS(NS(wire_name(name))),
        RecordData::Ptr(name) => RData::PTR(PTR(wire_name(name))),
        RecordData::Soa { primary, serial, minimum_seconds } => {
            RData::SOA(SOA::new(wire_name(primary), wire_name(primary), *serial, 1, 1, 1, *minimum_seconds))
        }
        RecordData::Txt(txt) => RData::TXT(TXT::from_bytes(txt.strings.iter().map(Vec::as_slice).collect())),
    };
    Record::from_rdata(wire_name(owner), ttl, data)
}

fn wire_name(name: &Name) -> rr::Name {
    rr::Name::from_labels(name.labels()).unwrap()
}
