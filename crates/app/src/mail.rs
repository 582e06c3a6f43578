//! Mail through an SMTP server: the only place that speaks to one. What is said in a mail is not decided here.

use std::{path::Path, time::Duration};

use anyhow::Context;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use syncline_connect::BoxFuture;
use syncline_engine::alerts::{Mail, Mailer};

use crate::config::{MailConfig, MailSecurity};

/// How long a mail server may take for each of its answers; RFC 5321 would bear minutes, an alert does not.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// How long one mail may take in all.
const MAIL_DEADLINE: Duration = Duration::from_secs(50);

/// A mail server, and who writes to whom.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Smtp {
    /// A carrier as it is configured; nothing is sent yet. Relative paths start at `base`.
    pub fn new(config: &MailConfig, base: &Path) -> anyhow::Result<Self> {
        let address = |text: &str| {
            text.parse::<Mailbox>().with_context(|| {
                format!("`{text}` is no mail address; write it like ada@example.org or Ada <ada@example.org>")
            })
        };
        let from = address(&config.from).context("in [alerts.mail] `from`")?;
        let to =
            config.to.iter().map(|text| address(text)).collect::<Result<_, _>>().context("in [alerts.mail] `to`")?;
        let tls = || -> anyhow::Result<TlsParameters> {
            let mut parameters = TlsParameters::builder(config.server.clone());
            if let Some(authority) = &config.authority {
                let path = base.join(authority);
                let pem = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let certificate = Certificate::from_pem(&pem)
                    .with_context(|| format!("{} holds no certificate in PEM", path.display()))?;
                // An authority of one's own is the only one: whoever else vouches for the name is not believed.
                parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
            }
            parameters.build_rustls().context("the way to the mail server cannot be encrypted")
        };
        let tls = match config.security {
            MailSecurity::Starttls => Tls::Required(tls()?),
            MailSecurity::Tls => Tls::Wrapper(tls()?),
            MailSecurity::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.server.clone())
            .port(config.port())
            .timeout(Some(ANSWER_DEADLINE))
            .tls(tls);
        if let (Some(username), Some(password)) = (&config.username, &config.password) {
            let password = password.read_any(base).context("in [alerts.mail] `password`")?;
            transport = transport.credentials(Credentials::new(username.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: transport.build(), from, to })
    }

    fn message(&self, mail: &Mail) -> Result<Message, lettre::error::Error> {
        let host = self.from.email.domain();
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{host}>", mail.id)))
            .date_now()
            // Nobody's holiday note answers it.
            .raw_header(lettre::message::header::HeaderValue::new(
                lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        message.body(mail.text.clone())
    }

    async fn carry(&self, mail: &Mail) -> Result<(), String> {
        let message = self.message(mail).map_err(|error| format!("the mail cannot be written: {error}"))?;
        match tokio::time::timeout(MAIL_DEADLINE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("the mail server did not take the mail: {error}")),
            Err(_) => Err("the mail server took too long".to_owned()),
        }
    }
}

impl Mailer for Smtp {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.carry(mail))
    }
}
