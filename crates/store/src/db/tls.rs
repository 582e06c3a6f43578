//! How the connection to PostgreSQL is encrypted, by the URL's `sslmode` and `sslrootcert`. No connection is made here.
//!
//! The modes mean what PostgreSQL's own library means by them (its documentation, "SSL Support", read 2026-11): `prefer`
//! and `require` encrypt without asking whose certificate it is, which keeps out listeners and nobody else; `verify-ca`
//! asks that a known authority signed it, `verify-full` also that it names the host. Two differences, both towards more
//! safety: `allow` is refused, because it means plain text wherever that is possible, and without `sslrootcert` the
//! authorities of the system are asked.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::config::{Host, SslMode};

use crate::error::{Error, Result};

/// Where PostgreSQL is, and how to speak to it there.
pub(crate) struct Place {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: ClientConfig,
}

/// What is asked of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Anybody,
    KnownAuthority,
    KnownAuthorityAndName,
}

impl Place {
    /// Reads the database's URL, and the file of authorities that it names.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        // The URL may hold a password, so no error repeats it.
        let unreadable = |_| Error::Other("the database URL cannot be read".to_owned());
        let (rest, mode, roots) = split(text);
        let mut config: tokio_postgres::Config = rest.parse().map_err(unreadable)?;
        let (mode, mut trust) = match mode.as_deref() {
            None | Some("prefer") => (SslMode::Prefer, Trust::Anybody),
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            Some("require") => (SslMode::Require, Trust::Anybody),
            Some("verify-ca") => (SslMode::Require, Trust::KnownAuthority),
            Some("verify-full") => (SslMode::Require, Trust::KnownAuthorityAndName),
            Some(_) => {
                return Err(Error::Other(
                    "`sslmode` in the database URL is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`"
                        .to_owned(),
                ));
            }
        };
        // Who names an authority wants it to be asked.
        if mode == SslMode::Require && roots.is_some() && trust == Trust::Anybody {
            trust = Trust::KnownAuthority;
        }
        // A socket on this machine is not encrypted, whatever the mode, just as PostgreSQL's library does it.
        let local =
            !config.get_hosts().is_empty() && config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)));
        config.ssl_mode(if local { SslMode::Disable } else { mode });
        Ok(Self { config, tls: client(trust, roots.as_deref())? })
    }
}

/// The URL without what is read here, the mode, and the file of authorities.
fn split(text: &str) -> (String, Option<String>, Option<String>) {
    let Some((base, query)) = text.split_once('?') else { return (text.to_owned(), None, None) };
    let (mut rest, mut mode, mut roots) = (Vec::new(), None, None);
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(decoded(value)),
            Some(("sslrootcert", value)) => roots = Some(decoded(value)).filter(|file| file != "system"),
            _ => rest.push(pair),
        }
    }
    let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (rest, mode, roots)
}

/// A value of the query; a plus sign stands for itself, as in the rest of such URLs.
fn decoded(value: &str) -> String {
    let query = format!("v={}", value.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn client(trust: Trust, roots: Option<&str>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anybody => Arc::new(Unasked(Arc::clone(&provider))),
        Trust::KnownAuthority => Arc::new(AnyName(asked(&provider, roots)?)),
        Trust::KnownAuthorityAndName => asked(&provider, roots)?,
    };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::Other(format!("TLS cannot be set up: {error}")))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// A verifier that asks the authorities of the file, or of the system.
fn asked(provider: &Arc<CryptoProvider>, roots: Option<&str>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(file) => {
            let unusable = |why: &dyn std::fmt::Display| {
                Error::Other(format!("`sslrootcert` names a file without usable certificates: {why}"))
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))? {
                let certificate = certificate.map_err(|error| unusable(&error))?;
                store.add(certificate).map_err(|error| unusable(&error))?;
            }
        }
        None => {
            // Some of a system's certificates may be unreadable; the others still serve.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(Error::Other(
            "there is no authority to ask about the database's certificate; name a PEM file as `sslrootcert`"
                .to_owned(),
        ));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| Error::Other(format!("the authorities of `sslrootcert` cannot be used: {error}")))
}

/// Takes any certificate: encryption against listeners, as `prefer` and `require` mean it.
#[derive(Debug)]
struct Unasked(Arc<CryptoProvider>);

/// Takes a certificate of a known authority for any host, as `verify-ca` means it.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Unasked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        // The name is looked at last, after the chain and the dates.
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
