//! Lists of SharePoint sites behind URLs.

use serde_json::{Map, Value};
use url::Url;

use super::RecordPlace;
use super::database::{decoded, refused, setting};
use crate::endpoint::TableName;
use crate::endpoint::sharepoint::SharepointOptions;
use crate::error::{Code, Error, Result};

pub(super) const SCHEME: &str = "sharepoint";

/// Which site it is, without what lets one in.
pub(super) fn name(site: &SharepointOptions) -> String {
    let path = site.site_path.trim_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{SCHEME}://{}{slash}{path}", site.hostname)
}

pub(super) fn is_site(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME))
}

/// Reads `sharepoint://host/sites/name/List Title`; without a path before the title it is the site at the root.
pub(super) fn parse(text: &str) -> Result<RecordPlace> {
    let url = Url::parse(text).map_err(|_| refused("it is no URL"))?;
    if url.password().is_some() || !url.username().is_empty() {
        return Err(refused("who is let in is never part of the host of a URL"));
    }
    if url.port().is_some() {
        return Err(refused("a site has a host and no port"));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| refused("it names no host"))?;
    let path = url.path().strip_prefix('/').unwrap_or_default();
    let (site, list) = path.rsplit_once('/').unwrap_or(("", path));
    if path.split('/').any(|part| part.ends_with(':')) {
        return Err(Error::new(Code::Unsupported, "use the place", format_args!("{SCHEME}://…"))
            .because("it names documents of a library, which are not reached yet")
            .advise("a list is named by its title"));
    }
    if list.is_empty() {
        return Err(refused("it names no list: sharepoint://host/sites/name/List"));
    }
    let site_path = if site.is_empty() { String::new() } else { format!("/{}", decoded(site)?) };
    let mut options = SharepointOptions::new("", "", Vec::new().into(), host, &site_path);
    let settings: Map<String, Value> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), setting(&value))).collect();
    if !settings.is_empty() {
        options.configure(&Value::Object(settings).to_string())?;
    }
    Ok(RecordPlace::List { site: Box::new(options), list: TableName::new("", decoded(list)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> (SharepointOptions, String) {
        match text.parse() {
            Ok(RecordPlace::List { site, list }) => (*site, list.name),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn urls_name_lists() {
        let (site, list) =
            at("sharepoint://contoso.sharepoint.com/sites/Team%20A/Open orders?tenant=t&client_id=c&zone=Asia/Tokyo");
        assert_eq!((site.hostname.as_str(), site.site_path.as_str()), ("contoso.sharepoint.com", "/sites/Team A"));
        assert_eq!((site.tenant.as_str(), site.client_id.as_str(), list.as_str()), ("t", "c", "Open orders"));
        assert_eq!(site.zone, Some(chrono_tz::Tz::Asia__Tokyo));
        assert_eq!(at("sharepoint://h/A%2FB").1, "A/B");
        assert_eq!(at("sharepoint://h/List").0.site_path, "");
        let place: RecordPlace = "sharepoint://h/sites/x/Open%20orders?tenant=t".parse().unwrap();
        assert_eq!((place.to_string().as_str(), place.scheme()), ("sharepoint://h/sites/x/Open orders", "sharepoint"));
        let RecordPlace::List { site, .. } = place.with_application("other", "app") else { panic!("a list") };
        assert_eq!((site.tenant.as_str(), site.client_id.as_str()), ("t", "app"));
    }

    #[test]
    fn what_names_no_list_is_refused_without_repeating_a_secret() {
        for text in [
            "sharepoint://h/sites/x/",
            "sharepoint://h",
            "sharepoint:///x",
            "sharepoint://h:8080/sites/x/List",
            "sharepoint://app:hush@h/sites/x/List",
            "sharepoint://h/sites/x/List?client_secret=hush",
            "sharepoint://h/sites/x/List?zone=Nowhere",
        ] {
            let error = text.parse::<RecordPlace>().unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{text}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        let documents = "sharepoint://h/sites/x/Documents:/a/b.txt".parse::<RecordPlace>().unwrap_err();
        assert_eq!(documents.code(), Code::Unsupported);
    }
}
