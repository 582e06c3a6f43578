//! Alerts as an operator has them: the real executable, a small mail server that speaks the line protocol, in the clear and
//! behind TLS, and a webhook's receiver.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use syncline_connect::{RawRequest, Secret, signature::standard_webhooks};
use syncline_core::Clock;

use crate::{
    api::{Newsletter, PEOPLE, installed},
    lab::{Installation, PATIENCE, Sandbox, WallClock, free_port, pause, secret},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");
const HOOK_SECRET: &str = "a laboratory's secret for alerts";

/// How a mail server wants to be spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Plain,
    Starttls,
    Tls,
}

/// A mail server on a port of its own; keeps what it takes.
pub struct MailServer {
    pub port: u16,
    taken: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub fn start(speaks: Speaks, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::start_on(0, speaks, tls)
    }

    fn start_on(port: u16, speaks: Speaks, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let taken: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that goes away in the middle has sent no mail.
                drop(attend(stream, speaks, tls.as_ref(), &kept));
            }
        });
        Self { port, taken }
    }

    pub fn mails(&self) -> Vec<String> {
        self.taken.lock().expect("nobody panics").clone()
    }
}

fn attend(
    mut stream: TcpStream,
    speaks: Speaks,
    tls: Option<&Arc<ServerConfig>>,
    taken: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let wrapped = |stream| {
        let tls = Arc::clone(tls.expect("a server with TLS has a certificate"));
        StreamOwned::new(ServerConnection::new(tls).expect("the certificate is sound"), stream)
    };
    match speaks {
        Speaks::Plain => dialogue(&mut BufReader::new(Both(stream)), true, false, taken).map(drop),
        Speaks::Tls => dialogue(&mut BufReader::new(wrapped(stream)), true, false, taken).map(drop),
        Speaks::Starttls => {
            let mut plain = BufReader::new(Both(stream.try_clone()?));
            if dialogue(&mut plain, true, true, taken)? {
                stream.write_all(b"220 go on\r\n")?;
                dialogue(&mut BufReader::new(wrapped(stream)), false, false, taken)?;
            }
            Ok(())
        }
    }
}

/// A socket, to be read and written through one reader.
struct Both(TcpStream);

impl Read for Both {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// One connection's worth of SMTP; `true` where the client asked for TLS.
fn dialogue<S: Read + Write>(
    stream: &mut BufReader<S>,
    greets: bool,
    offers_tls: bool,
    taken: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    let say = |stream: &mut BufReader<S>, line: &str| {
        stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        stream.get_mut().flush()
    };
    if greets {
        say(stream, "220 laboratory")?;
    }
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let verb = line.trim_end().split([' ', ':']).next().unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "EHLO" | "HELO" if offers_tls => say(stream, "250-laboratory\r\n250 STARTTLS")?,
            "EHLO" | "HELO" => say(stream, "250-laboratory\r\n250 AUTH PLAIN")?,
            "STARTTLS" if offers_tls => return Ok(true),
            // Before TLS nobody may say more.
            "MAIL" | "AUTH" if offers_tls => say(stream, "530 begin with STARTTLS")?,
            "AUTH" => say(stream, "235 welcome")?,
            "MAIL" | "RCPT" | "NOOP" => say(stream, "250 fine")?,
            "DATA" => {
                say(stream, "354 go ahead")?;
                let mut mail = String::new();
                loop {
                    let mut part = String::new();
                    if stream.read_line(&mut part)? == 0 {
                        return Ok(false);
                    }
                    if part == ".\r\n" {
                        break;
                    }
                    mail.push_str(&part);
                }
                taken.lock().expect("nobody panics").push(mail);
                say(stream, "250 taken")?;
            }
            "QUIT" => {
                say(stream, "221 bye")?;
                return Ok(false);
            }
            _ => say(stream, "502 what?")?,
        }
    }
}

/// A certificate for `localhost` and the authority that signed it, made for this run.
fn certificate(folder: &Path) -> Arc<ServerConfig> {
    let openssl = |line: &str| {
        let done =
            Command::new("openssl").args(line.split(' ')).current_dir(folder).output().expect("openssl is there");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests -keyout ca.key -out ca.pem",
    );
    openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout mail.key -out mail.csr",
    );
    std::fs::write(folder.join("mail.ext"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .expect("a file");
    openssl("x509 -req -in mail.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile mail.ext -out mail.pem");
    let chain =
        CertificateDer::pem_file_iter(folder.join("mail.pem")).expect("certificates").map(|one| one.expect("one"));
    let key = PrivateKeyDer::from_pem_file(folder.join("mail.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(builder.with_no_client_auth().with_single_cert(chain.collect(), key).expect("they fit"))
}

/// Takes webhooks, and answers each.
struct Receiver {
    url: String,
    taken: Arc<Mutex<Vec<RawRequest>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let taken: Arc<Mutex<Vec<RawRequest>>> = Arc::default();
        let kept = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Ok(request) = receive(stream) {
                    kept.lock().expect("nobody panics").push(request);
                }
            }
        });
        Self { url, taken }
    }
}

fn receive(stream: TcpStream) -> std::io::Result<RawRequest> {
    let mut stream = BufReader::new(stream);
    let (mut headers, mut line) = (HeaderMap::new(), String::new());
    stream.read_line(&mut line)?;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header");
        headers.insert(name, HeaderValue::from_str(value.trim()).expect("a value"));
    }
    let length = headers["content-length"].to_str().expect("text").parse().expect("a number");
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
    Ok(RawRequest { headers, body: body.into() })
}

pub fn mail_section(port: u16, security: &str, more: &str) -> String {
    format!(
        "[alerts.mail]\nserver = \"localhost\"\nport = {port}\nsecurity = \"{security}\"\n\
         from = \"Syncline <syncline@example.org>\"\nto = [\"ops@example.org\"]\n{more}\n"
    )
}

fn test_alert(installation: &Installation) -> Output {
    let config = installation.folder.join("syncline.toml");
    Command::new(BINARY).args(["alerts", "test", "--config"]).arg(config).output().expect("it runs")
}

/// `syncline alerts test` reaches a mail server in the clear, after STARTTLS and behind TLS; one whose certificate nobody
/// vouches for gets nothing, and the operator is told.
///
/// proves: O7
#[test]
fn a_test_goes_through_every_kind_of_mail_server() {
    let sandbox = Sandbox::start();
    for (name, speaks) in [("none", Speaks::Plain), ("starttls", Speaks::Starttls), ("tls", Speaks::Tls)] {
        let installation = Installation::new(&format!("mail-{name}"), &sandbox, "sqlite:syncline.db", "");
        let tls = certificate(&installation.folder);
        let server = MailServer::start(speaks, Some(tls));
        let config = installation.folder.join("syncline.toml");
        let plain = std::fs::read_to_string(&config).expect("a configuration");
        if speaks != Speaks::Plain {
            std::fs::write(&config, format!("{plain}\n{}", mail_section(server.port, name, ""))).expect("a file");
            let out = test_alert(&installation);
            assert!(!out.status.success(), "a stranger's certificate: {}", String::from_utf8_lossy(&out.stdout));
            assert!(server.mails().is_empty());
        }
        secret(&installation.folder, "mail.password", "a password");
        let more = match speaks {
            Speaks::Plain => "",
            _ => "authority = \"ca.pem\"\nusername = \"syncline\"\npassword = \"file:mail.password\"",
        };
        std::fs::write(&config, format!("{plain}\n{}", mail_section(server.port, name, more))).expect("a file");
        let out = test_alert(&installation);
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stdout));
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{name}");
        for part in ["To: ops@example.org", "Subject: [Syncline] this is a test", "Auto-Submitted: auto-generated"] {
            assert!(mails[0].contains(part), "{part}: {}", mails[0]);
        }
    }
}

/// A server whose quota runs out tells it by a signed webhook and by mail, 80 % and 100 % once each, although no mail server
/// is there at first and the server is killed meanwhile: what was told stays told, what was not is told later.
///
/// proves: R18, O7, V1
#[test]
fn a_quota_is_told_by_mail_and_webhook_once_each_over_a_kill() {
    let (sandbox, tool) = (Sandbox::start(), Newsletter::start());
    for n in 0..12 {
        let person = json!({ "LastName": format!("Last{n}"), "Email": format!("p{n}@example.org") });
        let Value::Object(person) = person else { unreachable!("it was written as an object") };
        sandbox.org.seed("Contact", &person).expect("a contact");
    }
    let (port, hook) = (free_port(), Receiver::start());
    let records = PEOPLE.replacen("right = \"newsletter\"", "right = \"newsletter\"\ntasks_per_month = 10", 1);
    let more = format!(
        "{records}\n{}[alerts.webhook]\nurl = \"{}/alerts\"\nsecret = \"file:hook.key\"\n",
        mail_section(port, "none", ""),
        hook.url
    );
    let installation = installed("alerts", &sandbox, &tool, &more);
    installation.open_network(&hook.url);
    secret(&installation.folder, "hook.key", HOOK_SECRET);
    let started = Command::new(BINARY)
        .args(["records", "activate", "people", "--agreed-by", "Ada", "--config"])
        .arg(installation.folder.join("syncline.toml"))
        .output()
        .expect("it runs");
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < PATIENCE, "{what}: {}", installation.log());
            pause(Duration::from_millis(50));
        }
        // What was told is noted a moment later.
        pause(Duration::from_secs(1));
    };
    let posted = || hook.taken.lock().expect("nobody panics").len();
    let first = installation.start(BINARY.as_ref(), &[]);
    until("no webhook comes", &|| posted() >= 2);
    first.kill();
    let mail = MailServer::start_on(port, Speaks::Plain, None);
    let second = installation.start(BINARY.as_ref(), &[]);
    until("no mail comes", &|| mail.mails().len() >= 2);
    second.kill();
    let last = installation.start(BINARY.as_ref(), &[]);
    // Longer than the pause between two looks for what is to be told.
    pause(Duration::from_secs(7));
    drop(last);
    let mut subjects: Vec<String> = mail
        .mails()
        .iter()
        .filter_map(|mail| mail.lines().find(|line| line.starts_with("Subject:")).map(str::to_owned))
        .collect();
    subjects.sort();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects[0].contains("has used all") && subjects[1].contains("has used most"), "{subjects:?}");
    let taken = hook.taken.lock().expect("nobody panics");
    let mut kinds = Vec::new();
    for request in taken.iter() {
        standard_webhooks(request, "webhook", &[Secret::new(HOOK_SECRET)], WallClock.now()).expect("it is signed");
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body["integration"], json!("people"), "{body}");
        kinds.push(body["kind"].as_str().expect("a kind").to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["quota_near", "quota_used"]);
}
