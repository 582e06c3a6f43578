//! Mail through an SMTP server: the only place that speaks to one. What is said in a mail is not decided here.

use std::{path::Path, time::Duration};

use anyhow::Context;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use syncline_connect::BoxFuture;
use syncline_core::calendar::event::Party;
use syncline_engine::mail::{Guest, Mail, Mailer, NotSent};

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

    fn message(&self, mail: &Mail) -> anyhow::Result<Message> {
        let host = self.from.email.domain();
        let builder =
            Message::builder().subject(&mail.subject).message_id(Some(format!("<{}@{host}>", mail.id))).date_now();
        if let Some(guest) = &mail.guest {
            return self.to_guest(builder, mail, guest);
        }
        let mut builder = builder
            .from(self.from.clone())
            // Nobody's holiday note answers it.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        Ok(builder.body(mail.text.clone())?)
    }

    /// An invitation (RFC 6047): in words, and for the guest's calendar. Mail servers let us write under our own address only,
    /// so the organiser lends the name and gets the answers.
    fn to_guest(
        &self,
        builder: lettre::message::MessageBuilder,
        mail: &Mail,
        guest: &Guest,
    ) -> anyhow::Result<Message> {
        let Party { email, name } = &guest.organizer;
        let organizer = Mailbox::new(name.clone(), email.parse()?);
        let calendar = ContentType::parse(&guest.calendar.content_type)?;
        let calendar = SinglePart::builder().header(calendar).body(guest.calendar.body.clone());
        let parts = MultiPart::alternative().singlepart(SinglePart::plain(mail.text.clone())).singlepart(calendar);
        let name = name.clone().unwrap_or_else(|| email.clone());
        let from = Mailbox::new(Some(name), self.from.email.clone());
        let to = Mailbox::new(None, guest.email.parse()?);
        Ok(builder.from(from).reply_to(organizer).to(to).multipart(parts)?)
    }

    async fn carry(&self, mail: &Mail) -> Result<(), NotSent> {
        let message = self.message(mail);
        // An address that cannot be written is told as such, and not which one it is.
        let message = message.map_err(|_| NotSent::Refused("the mail cannot be written".to_owned()))?;
        let carried = tokio::time::timeout(MAIL_DEADLINE, async {
            // A guest is told once: what fails before the mail itself is said was surely not taken.
            if mail.guest.is_some() && !self.transport.test_connection().await.unwrap_or(false) {
                return Err(NotSent::Later("the mail server does not let us in".to_owned()));
            }
            self.transport.send(message).await.map(drop).map_err(|error| not_sent(&error, mail))
        });
        carried.await.unwrap_or_else(|_| Err(NotSent::Unknown("the mail server took too long".to_owned())))
    }
}

/// What a mail server's refusal means. Its own words may repeat a guest's address, so of such a mail only the code is told.
fn not_sent(error: &lettre::transport::smtp::Error, mail: &Mail) -> NotSent {
    let code = || error.status().map(|code| format!(" ({code})")).unwrap_or_default();
    let why = if mail.guest.is_some() { code() } else { format!(": {error}") };
    let said = format!("the mail server did not take the mail{why}");
    match () {
        () if error.is_permanent() || error.is_client() => NotSent::Refused(said),
        () if error.is_transient() => NotSent::Later(said),
        () => NotSent::Unknown(said),
    }
}

impl Mailer for Smtp {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), NotSent>> {
        Box::pin(self.carry(mail))
    }
}
