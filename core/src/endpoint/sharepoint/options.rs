//! How a site of SharePoint is reached.

use std::path::PathBuf;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use url::Url;

use super::budget::{UnitAccount, UnitBudget, UnitShare};
use crate::error::{Code, Error, Result};
use crate::model::SecretBytes;
use crate::operation::{Clock, SystemClock};
use crate::tls::Trust;

/// How a site of SharePoint is reached.
#[derive(Clone)]
pub struct SharepointOptions {
    /// Where tokens come from; national clouds have others than `https://login.microsoftonline.com`.
    pub authority: String,
    /// The tenant, by id or domain.
    pub tenant: String,
    /// The application.
    pub client_id: String,
    /// Its secret; or the PEM of a private key (RSA, not encrypted) and of the certificate that the application is registered with.
    pub client_secret: SecretBytes,
    /// What tokens are for.
    pub scope: String,
    /// Where Graph is, with the version of its API.
    pub graph: String,
    /// The host of the site, as in `contoso.sharepoint.com`.
    pub hostname: String,
    /// The path of the site, as in `/sites/Team`; empty or `/` for the one at the root.
    pub site_path: String,
    /// The zone of the site, in which its days begin. Graph does not tell it. Without it a day is the midnight nearest by, and
    /// one of which that is not certain refuses its row.
    pub zone: Option<Tz>,
    /// Which servers are believed to be who they say.
    pub trust: Trust,
    /// Who we are, in the form that SharePoint asks for (`NONISV|Company|Application/1.0`): others are throttled first.
    pub user_agent: String,
    /// Resource units of the application in this tenant per minute: 1,200 in the smallest tenants, 6,000 in the largest.
    pub units_per_minute: u64,
    /// The same per day: a thousand times that, in every tenant.
    pub units_per_day: u64,
    /// Who else spends of them, and then how many there are; nothing: this process alone, all its endpoints of the same
    /// application together.
    pub share: Option<Arc<dyn UnitShare>>,
    /// What time it is, and how it is waited for.
    pub clock: Arc<dyn Clock>,
}

/// What may be said of a site beside its address. The first five belong to the connection, the others to the site.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(skip_serializing)]
    tenant: Option<String>,
    #[serde(skip_serializing)]
    client_id: Option<String>,
    #[serde(skip_serializing)]
    authority: Option<String>,
    #[serde(skip_serializing)]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    units_per_minute: Option<u64>,
}

impl SharepointOptions {
    /// Takes over what a JSON object says: `tenant`, `client_id`, `authority`, `scope`, `graph`, `zone` (by its name of IANA),
    /// `ca_file`, `user_agent`, `units_per_minute`.
    ///
    /// # Errors
    /// `invalid` for anything else.
    ///
    /// ```
    /// use portbook::endpoint::sharepoint::SharepointOptions;
    /// let mut options = SharepointOptions::new("contoso", "an-app", "its secret".into(), "contoso.sharepoint.com", "/sites/Team");
    /// options.configure(r#"{"zone": "Europe/Berlin", "units_per_minute": 2400}"#).unwrap();
    /// assert!(options.configure(r#"{"zone": "Central Europe"}"#).is_err());
    /// ```
    pub fn configure(&mut self, config: &str) -> Result<()> {
        let settings: Settings = serde_json::from_str(config)
            .map_err(|e| Error::new(Code::Invalid, "read the configuration of a site", "").because(e))?;
        for (text, value) in [
            (&mut self.tenant, settings.tenant),
            (&mut self.client_id, settings.client_id),
            (&mut self.authority, settings.authority),
            (&mut self.scope, settings.scope),
            (&mut self.graph, settings.graph),
            (&mut self.user_agent, settings.user_agent),
        ] {
            if let Some(value) = value {
                *text = value;
            }
        }
        if let Some(zone) = settings.zone {
            let unknown = |e| Error::new(Code::Invalid, "use the zone", zone.escape_debug()).because(e);
            self.zone = Some(zone.parse().map_err(unknown)?);
        }
        if let Some(file) = settings.ca_file {
            self.trust = Trust::Authorities(file);
        }
        if let Some(units) = settings.units_per_minute {
            // In every tenant a day has a thousand times what a minute has.
            (self.units_per_minute, self.units_per_day) = (units, units.saturating_mul(1_000));
        }
        Ok(())
    }

    /// What is unusual about the site, for [`configure`](Self::configure): nothing of its connection.
    pub(crate) fn configuration(&self) -> serde_json::Value {
        let usual = Self::new("", "", "".into(), "", "");
        let other = |text: &String, usual: &String| Some(text.clone()).filter(|text| text != usual);
        let settings = Settings {
            graph: other(&self.graph, &usual.graph),
            user_agent: other(&self.user_agent, &usual.user_agent),
            zone: self.zone.map(|zone| zone.name().to_owned()),
            ca_file: match &self.trust {
                Trust::Authorities(file) => Some(file.clone()),
                Trust::System | Trust::Certificate(_) => None,
            },
            units_per_minute: Some(self.units_per_minute).filter(|units| *units != usual.units_per_minute),
            ..Settings::default()
        };
        serde_json::to_value(settings).unwrap_or_default()
    }

    /// A site in Microsoft's public cloud.
    pub fn new(tenant: &str, client_id: &str, client_secret: SecretBytes, hostname: &str, site_path: &str) -> Self {
        Self {
            authority: "https://login.microsoftonline.com".into(),
            tenant: tenant.into(),
            client_id: client_id.into(),
            client_secret,
            scope: "https://graph.microsoft.com/.default".into(),
            graph: "https://graph.microsoft.com/v1.0".into(),
            hostname: hostname.into(),
            site_path: site_path.into(),
            zone: None,
            trust: Trust::System,
            user_agent: concat!("NONISV|Portbook|Portbook/", env!("CARGO_PKG_VERSION")).into(),
            units_per_minute: UnitBudget::default().per_minute,
            units_per_day: UnitBudget::default().per_day,
            share: None,
            clock: SystemClock::shared(),
        }
    }

    /// Whom units are counted for.
    #[must_use]
    pub fn account(&self) -> UnitAccount {
        UnitAccount::new(&self.authority, &self.tenant, &self.client_id)
    }

    /// What this process may spend where nobody else does.
    pub(crate) fn budget(&self) -> UnitBudget {
        UnitBudget { per_minute: self.units_per_minute.max(1), per_day: self.units_per_day.max(1) }
    }

    /// The addresses of tokens and of Graph.
    ///
    /// # Errors
    /// `invalid` when something is missing, or a secret would travel in the open to another machine.
    pub(super) fn addresses(&self) -> Result<(Url, Url)> {
        let odd = |why: &str| {
            Error::new(Code::Invalid, "open a site of SharePoint", self.hostname.escape_debug()).because(why)
        };
        let parts = [&self.tenant, &self.client_id, &self.hostname];
        if self.client_secret.is_empty() || parts.iter().any(|part| part.is_empty()) {
            return Err(odd("tenant, application, its secret, and the host of the site have to be named"));
        }
        let address = |text: &str| {
            let url = Url::parse(text).map_err(|_| odd("an address is none"))?;
            let is_here = match url.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
                Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
                None => return Err(odd("an address has no host")),
            };
            if url.scheme() == "https" || url.scheme() == "http" && is_here {
                Ok(url)
            } else {
                Err(odd("secrets travel by https alone"))
            }
        };
        let mut token = address(&self.authority)?;
        if let Ok(mut parts) = token.path_segments_mut() {
            parts.pop_if_empty().extend([self.tenant.as_str(), "oauth2", "v2.0", "token"]);
        }
        Ok((token, address(self.graph.trim_end_matches('/'))?))
    }
}
