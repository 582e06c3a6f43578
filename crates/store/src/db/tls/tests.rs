//! What each `sslmode` takes and refuses, against the tests' own PostgreSQL behind a door that speaks TLS.

use std::{path::PathBuf, process::Command, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, UnixStream},
};
use tokio_postgres::config::SslMode;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{Store, tests::world::options};

/// The first message of a client that wants TLS: its length and the code 1234.5679.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// An authority of this run's own, and certificates that it signed: no private key is kept with the sources.
struct Authority(PathBuf);

impl Authority {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("syncline-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let made = Self(folder);
        made.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests -keyout ca.key -out ca.pem");
        made.openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout db.key -out db.csr");
        std::fs::write(made.0.join("db.ext"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
        made.openssl(
            "x509 -req -in db.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile db.ext -out db.pem",
        );
        made
    }

    fn openssl(&self, line: &str) {
        let done =
            Command::new("openssl").args(line.split(' ')).current_dir(&self.0).output().expect("openssl is there");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let chain = CertificateDer::pem_file_iter(self.file("db.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(self.file("db.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap()))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // What stays behind lies among the machine's temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The socket of the tests' PostgreSQL.
fn socket() -> String {
    let server = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
    let config: tokio_postgres::Config = server.parse().unwrap();
    let Some(Host::Unix(folder)) = config.get_hosts().first() else { panic!("the tests' PostgreSQL has a socket") };
    format!("{}/.s.PGSQL.{}", folder.display(), config.get_ports()[0])
}

/// A port through which PostgreSQL is reached: with TLS by this certificate, or in plain text only.
async fn door(acceptor: Option<TlsAcceptor>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut first = [0; 8];
                client.read_exact(&mut first).await.unwrap();
                match acceptor {
                    Some(acceptor) if first == SSL_REQUEST => {
                        client.write_all(b"S").await.unwrap();
                        // A client that does not like the certificate leaves here.
                        if let Ok(client) = acceptor.accept(client).await {
                            through(client, &[]).await;
                        }
                    }
                    _ if first == SSL_REQUEST => {
                        client.write_all(b"N").await.unwrap();
                        through(client, &[]).await;
                    }
                    Some(_) => {} // Plain text is not taken where TLS is to be had.
                    None => through(client, &first).await,
                }
            });
        }
    });
    port
}

async fn through(mut client: impl AsyncRead + AsyncWrite + Unpin, sent: &[u8]) {
    let mut server = UnixStream::connect(socket()).await.unwrap();
    server.write_all(sent).await.unwrap();
    // A connection that ends is the end of it, however it ends.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// Opens the store through the door; the reason, where it does not open.
async fn open(host: &str, port: u16, query: &str) -> Result<(), String> {
    let url = format!("postgres://syncline@{host}:{port}/postgres?options=-csearch_path%3Dtls_test{query}");
    let pg = super::super::postgres::Postgres::open(&url, 1).map_err(|error| error.to_string())?;
    let opened = pg.has_vault().await.map(drop).map_err(|error| error.to_string());
    pg.close();
    opened
}

#[tokio::test]
async fn each_mode_takes_and_refuses_what_postgresql_says() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let (tls, plain) = (door(Some(ours.acceptor())).await, door(None).await);
    let (known, stranger) =
        (format!("&sslrootcert={}", ours.file("ca.pem")), format!("&sslrootcert={}", others.file("ca.pem")));
    let check = async |host: &str, port: u16, query: &str, expected: bool| {
        let opened = open(host, port, query).await;
        assert_eq!(opened.is_ok(), expected, "{host} {query}: {opened:?}");
    };
    // Without a mode, and with `prefer`: TLS where it is offered (this door takes nothing else), else plain text.
    check("localhost", tls, "", true).await;
    check("localhost", tls, "&sslmode=prefer", true).await;
    check("localhost", plain, "", true).await;
    check("localhost", tls, "&sslmode=disable", false).await;
    check("localhost", plain, "&sslmode=disable", true).await;
    check("localhost", tls, "&sslmode=require", true).await;
    for mode in ["require", "verify-ca", "verify-full"] {
        check("localhost", plain, &format!("&sslmode={mode}{known}"), false).await;
        check("localhost", tls, &format!("&sslmode={mode}{known}"), true).await;
        check("localhost", tls, &format!("&sslmode={mode}{stranger}"), false).await;
    }
    // The certificate names `localhost`, not the address.
    check("127.0.0.1", tls, &format!("&sslmode=verify-ca{known}"), true).await;
    check("127.0.0.1", tls, &format!("&sslmode=verify-full{known}"), false).await;
    // The system knows no authority of ours.
    check("localhost", tls, "&sslmode=verify-full", false).await;
}

/// The whole store works over TLS.
#[tokio::test]
async fn a_store_opens_over_tls() {
    let ours = Authority::new("store");
    let port = door(Some(ours.acceptor())).await;
    let server = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("drop schema if exists tls_store cascade; create schema tls_store").await.unwrap();
    let url = format!(
        "postgres://syncline@localhost:{port}/postgres?options=-csearch_path%3Dtls_store&sslmode=verify-full&sslrootcert={}",
        ours.file("ca.pem")
    );
    let store = Store::open(&url, options()).await.unwrap();
    assert_eq!(store.counts(&crate::tests::world::ws()).await.unwrap().done, 0);
    store.close().await;
    client.batch_execute("drop schema tls_store cascade").await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

#[test]
fn the_url_says_how() {
    let mode =
        |url: &str| Place::parse(url).map(|place| place.config.get_ssl_mode()).map_err(|error| error.to_string());
    assert_eq!(mode("postgres://u@h/d"), Ok(SslMode::Prefer));
    assert_eq!(mode("postgres://u@h/d?sslmode=verify-full"), Ok(SslMode::Require));
    assert_eq!(mode("postgres:///d?host=/run/postgresql&sslmode=require"), Ok(SslMode::Disable));
    for wrong in ["allow", "", "verify", "REQUIRE"] {
        let said = mode(&format!("postgres://u:pass@h/d?sslmode={wrong}")).unwrap_err();
        assert!(said.contains("verify-full") && !said.contains("pass@"), "{said}");
    }
    let said = mode("postgres://u:hunter2@h/d?sslmode=verify-ca&sslrootcert=/nowhere.pem").unwrap_err();
    assert!(said.contains("sslrootcert") && !said.contains("hunter2"), "{said}");
    assert!(mode("postgres://u:hunter2@h:port/d").is_err_and(|said| !said.contains("hunter2")));
    let (rest, mode, roots) = split("postgres://h/d?a=1&sslmode=require&sslrootcert=%2Fa%20b+c.pem&b=2");
    assert_eq!(rest, "postgres://h/d?a=1&b=2");
    assert_eq!((mode.as_deref(), roots.as_deref()), (Some("require"), Some("/a b+c.pem")));
}
