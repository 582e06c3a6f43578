//! A real CalDAV server for the demo, where there is one on this machine: Radicale, in a folder of its own, for nobody but
//! this machine, and gone with the demo.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use syncline_connect::Http;

use crate::http::{CALL_DEADLINE, Client, Origin};

/// How often it is looked whether the server is there, and how many times: Python takes a second to start.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 400;

/// Who signs in: the server asks for a name and takes any password.
pub const ACCOUNT: &str = "carla:demo";

/// Her calendar.
const CALENDAR: &str = "/carla/meetings/";

/// The server, which ends with its value.
pub struct Radicale {
    child: Child,
    pub url: String,
    client: Client,
}

impl Radicale {
    /// Starts one with an empty calendar; nothing where this machine has none.
    pub async fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let free = TcpListener::bind("127.0.0.1:0").context("cannot listen on this machine's own address")?;
        let at = free.local_addr()?;
        drop(free);
        let storage = folder.join("radicale");
        if storage.exists() {
            fs::remove_dir_all(&storage).with_context(|| format!("removing {}", storage.display()))?;
        }
        let started = Command::new("radicale")
            .args(["--auth-type", "none", "--logging-level", "error"])
            .args(["--hosts", &at.to_string()])
            .arg("--storage-filesystem-folder")
            .arg(&storage)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("starting radicale"),
        };
        let url = format!("http://{at}");
        let client = Client::new(vec![Origin::parse(&url)?], CALL_DEADLINE)?;
        let mut server = Self { child, url, client };
        server.wait(at).await?;
        server.ask("MKCALENDAR", CALENDAR, "").await?;
        Ok(Some(server))
    }

    async fn wait(&mut self, at: SocketAddr) -> anyhow::Result<()> {
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect(at).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("radicale ended at once ({status})");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("radicale does not answer")
    }

    /// Carla's program keeps an event.
    pub async fn put(&self, name: &str, event: &str) -> anyhow::Result<()> {
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Demo//EN\r\n{event}END:VCALENDAR\r\n");
        self.ask("PUT", &format!("{CALENDAR}{name}.ics"), &text).await
    }

    /// Carla's program deletes one.
    pub async fn delete(&self, name: &str) -> anyhow::Result<()> {
        self.ask("DELETE", &format!("{CALENDAR}{name}.ics"), "").await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Basic {}", BASE64_STANDARD.encode(ACCOUNT)))
            .header("content-type", "text/calendar; charset=utf-8")
            .body(Bytes::copy_from_slice(body.as_bytes()))?;
        let status = self.client.send(request).await?.status();
        if !status.is_success() {
            bail!("radicale answered {status} to {method} {path}");
        }
        Ok(())
    }
}

impl Drop for Radicale {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
