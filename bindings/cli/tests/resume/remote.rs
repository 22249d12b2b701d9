//! Servers for large files, and how the program is told of them.

use std::any::Any;

use crate::nextcloud::Nextcloud;
use crate::proxy::{Protocol, Way};
use crate::service::Service;
use crate::world::{Ran, World};

/// A server behind a line, and what lets one in.
pub struct Remote {
    pub name: &'static str,
    pub protocol: Protocol,
    pub port: u16,
    /// With `PORT` in the place of the port.
    url: String,
    variables: Vec<(&'static str, String)>,
    /// What runs until this is dropped.
    _server: Box<dyn Any>,
}

impl Remote {
    pub fn s3() -> Option<Self> {
        let server = Service::start("rclone", &["s3"])?;
        std::fs::create_dir(server.directory().join("data/bucket")).unwrap();
        let variables = vec![
            ("PORTBOOK_S3_ACCESS_KEY", "key".to_owned()),
            ("PORTBOOK_S3_SECRET_KEY", "secret-key".to_owned()),
            ("PORTBOOK_S3_ENDPOINT", "http://127.0.0.1:PORT".to_owned()),
        ];
        Some(Self::of("S3", Protocol::Http, "s3://bucket/root", variables, server))
    }

    pub fn sftp() -> Option<Self> {
        let server = Service::start("openssh", &[])?;
        let user = server.address.split(' ').nth(1).unwrap();
        let at = |name: &str| server.directory().join(name);
        let url = format!("sftp://{user}@127.0.0.1:PORT{}/root", at("data").display());
        let variables = vec![
            ("PORTBOOK_SFTP_KEY_FILE", at("user_ed25519").display().to_string()),
            ("PORTBOOK_SFTP_HOST_KEY", std::fs::read_to_string(at("host_ed25519.pub")).unwrap()),
        ];
        Some(Self::of("SFTP", Protocol::Tcp, &url, variables, server))
    }

    pub fn ftp() -> Option<Self> {
        let server = Service::start("proftpd", &["plain"])?;
        let variables = vec![("PORTBOOK_FTP_PASSWORD", "password".into()), ("PORTBOOK_FTP_PLAIN", "1".into())];
        Some(Self::of("FTP", Protocol::Ftp, "ftp://user@127.0.0.1:PORT/root", variables, server))
    }

    pub fn webdav() -> Option<Self> {
        let server = Service::start("apache", &["none"])?;
        Some(Self::of("WebDAV", Protocol::Http, "dav://127.0.0.1:PORT/dav/root", Vec::new(), server))
    }

    /// Takes uploads in chunks.
    pub fn nextcloud() -> Option<Self> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let cloud = runtime.block_on(Nextcloud::start());
        let (port, path) = cloud.url.strip_prefix("http://127.0.0.1:").unwrap().split_once('/').unwrap();
        let url = format!("dav://127.0.0.1:PORT/{path}root");
        Some(Self {
            name: "Nextcloud",
            protocol: Protocol::Http,
            port: port.parse().unwrap(),
            url,
            variables: Vec::new(),
            _server: Box::new((cloud, runtime)),
        })
    }

    fn of(
        name: &'static str,
        protocol: Protocol,
        url: &str,
        variables: Vec<(&'static str, String)>,
        server: Service,
    ) -> Self {
        let port = server.address.split(' ').next().unwrap().parse().unwrap();
        Self { name, protocol, port, url: url.to_owned(), variables, _server: Box::new(server) }
    }

    /// A sync between a folder and the server, over this port.
    pub fn command(&self, world: &World, way: Way, folder: &str, port: u16) -> std::process::Command {
        let with_port = |text: &str| text.replace("PORT", &port.to_string());
        let url = with_port(&self.url);
        let words = match way {
            Way::Up => ["--json", "sync", folder, &url],
            Way::Down => ["--json", "sync", &url, folder],
        };
        let mut command = world.command(&words);
        command.envs(self.variables.iter().map(|(name, value)| (name, with_port(value))));
        command
    }

    pub fn sync(&self, world: &World, way: Way, folder: &str, port: u16) -> Ran {
        let ran: Ran = self.command(world, way, folder, port).output().unwrap().into();
        assert_eq!(ran.status, 0, "{ran:?}");
        ran
    }
}
