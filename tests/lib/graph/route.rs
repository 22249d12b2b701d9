//! What a path names, and what asking for it costs.

use hyper::Method;

use super::options::Role;
use super::wire::{Asked, Refusal, decode};

/// A resource that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Sites,
    Site(String),
    Permissions(String),
    Lists(String),
    List(At),
    Columns(At),
    Column(At, String),
    Items(At),
    Item(At, u64),
    Fields(At, u64),
    /// With a token that stands in the path, `delta(token='…')`.
    Delta(At, Option<String>),
}

/// A list, by id or title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    pub site: String,
    pub list: String,
}

impl Route {
    pub fn read(asked: &Asked) -> Result<Self, Refusal> {
        let unknown = |part: &str| Refusal::bad(format!("Resource not found for the segment '{part}'."));
        let (version, path) = asked.path.trim_start_matches('/').split_once('/').ok_or_else(|| unknown(&asked.path))?;
        if version != "v1.0" {
            return Err(Refusal::bad(format!("Invalid version: {version}")));
        }
        let mut parts = path.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
        if parts.first().map(String::as_str) != Some("sites") {
            return Err(unknown(parts.first().map_or("", String::as_str)));
        }
        if parts.len() == 1 {
            return Ok(Self::Sites);
        }
        let rest = parts.split_off(site_end(&parts));
        let site = parts[1..].join("/").trim_end_matches(':').to_owned();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let at = |list: &str| At { site: site.clone(), list: list.to_owned() };
        let item = |text: &str| text.parse().map_err(|_| Refusal::invalid(format!("{text} is no id of an item")));
        Ok(match rest[..] {
            [] => Self::Site(site),
            ["permissions"] => Self::Permissions(site),
            ["lists"] => Self::Lists(site),
            ["lists", list] => Self::List(at(list)),
            ["lists", list, "columns"] => Self::Columns(at(list)),
            ["lists", list, "columns", name] => Self::Column(at(list), name.to_owned()),
            ["lists", list, "items"] => Self::Items(at(list)),
            ["lists", list, "items", delta] if delta.starts_with("delta") => match delta {
                "delta" | "delta()" => Self::Delta(at(list), None),
                _ => {
                    let token = delta.strip_prefix("delta(token='").and_then(|rest| rest.strip_suffix("')"));
                    Self::Delta(at(list), Some(token.ok_or_else(|| unknown(delta))?.to_owned()))
                }
            },
            ["lists", list, "items", id] => Self::Item(at(list), item(id)?),
            ["lists", list, "items", id, "fields"] => Self::Fields(at(list), item(id)?),
            [.., last] => return Err(unknown(last)),
        })
    }

    /// Resource units.
    pub fn units(&self, asked: &Asked) -> u64 {
        let has_token =
            asked.query.iter().any(|(key, value)| key.trim_start_matches('$') == "token" && !value.is_empty());
        match self {
            Self::Permissions(_) => 5,
            _ if asked.method != Method::GET => 2,
            Self::Delta(_, in_path) => {
                if in_path.is_some() || has_token {
                    1
                } else {
                    2
                }
            }
            Self::Sites | Self::Lists(_) | Self::Columns(_) | Self::Items(_) => 2,
            Self::Site(_) | Self::List(_) | Self::Column(..) | Self::Item(..) | Self::Fields(..) => 1,
        }
    }

    /// The permission that an application needs.
    pub fn needs(&self, asked: &Asked) -> Role {
        match self {
            _ if asked.method == Method::GET => Role::Read,
            Self::Items(_) | Self::Item(..) | Self::Fields(..) => Role::Write,
            _ => Role::Manage,
        }
    }
}

/// How many parts of a path name the site: one that stands by its path, `host:/path`, ends at a colon or with the path. Clients
/// write it in parts, or as one part in which slashes are encoded.
fn site_end(parts: &[String]) -> usize {
    if !parts[1].ends_with(':') || parts[1].contains(":/") {
        return 2;
    }
    let colon = parts.iter().skip(2).position(|part| part.ends_with(':'));
    colon.map_or(parts.len(), |place| place + 3)
}
