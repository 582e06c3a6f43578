//! Whose certificates the client trusts.

use std::{path::PathBuf, process::Command, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use syncline_connect::{Http, HttpError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{client, request};

/// A server for `localhost` whose certificate it signed itself.
async fn stranger() -> u16 {
    let folder: PathBuf = std::env::temp_dir().join(format!("syncline-http-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -keyout own.key -out own.pem";
    let made = Command::new("openssl").args(line.split_whitespace()).current_dir(&folder).output().expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let chain = CertificateDer::pem_file_iter(folder.join("own.pem")).expect("a file");
    let chain = chain.map(|one| one.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("own.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = builder.with_no_client_auth().with_single_cert(chain, key).expect("a key that fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            // Whoever does not like the certificate leaves here.
            tokio::spawn(async move { drop(acceptor.accept(socket).await) });
        }
    });
    drop(std::fs::remove_dir_all(&folder));
    port
}

/// Opening an origin opens its address and nothing else: a certificate that nobody vouches for is refused there, too, and
/// nothing is sent.
///
/// proves: sec:S36
#[tokio::test]
async fn an_opened_origin_needs_a_good_certificate() {
    let port = stranger().await;
    let origin = format!("https://localhost:{port}");
    let refused = client(&[&origin]).send(request(&format!("{origin}/"))).await.expect_err("nobody signed it");
    let HttpError::NotSent { reason, .. } = &refused else { panic!("{refused}") };
    assert!(reason.to_lowercase().contains("certificate"), "{reason}");
}
