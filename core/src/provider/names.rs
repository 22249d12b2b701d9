//! How the HTTP client finds the addresses of a name: as the machine does, but for what is beneath `localhost`.
//!
//! Names beneath `localhost` are this machine, and no name server is asked for them (RFC 6761, section 6.3). Many resolvers
//! know `localhost` alone, and a bucket on a server of this machine may be named in its host (`bucket.localhost`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The addresses of this machine, for itself.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The client puts the port in the place of 0.
            let found: Vec<SocketAddr> = if is_beneath_localhost(name.as_str()) {
                LOOPBACK.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()
            } else {
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect()
            };
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_beneath_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.strip_suffix(".localhost").is_some_and(|above| !above.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beneath_localhost_needs_no_name_server() {
        for name in ["bucket.localhost", "a.b.LocalHost", "bucket.localhost."] {
            assert!(is_beneath_localhost(name), "{name}");
        }
        for name in ["localhost", ".localhost", "localhost.example.org", "mylocalhost", "a.localhosts", ""] {
            assert!(!is_beneath_localhost(name), "{name}");
        }
    }
}
