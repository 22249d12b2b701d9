//! Links that let anybody read one object for a while (Amazon S3 User Guide, "Sharing objects with presigned URLs").

use std::fmt;
use std::time::Duration;

use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use zeroize::Zeroizing;

use super::request::Client;
use crate::error::{Code, Error, Result};
use crate::model::RelPath;

/// The longest time that a link can be valid.
const LONGEST: Duration = Duration::from_hours(7 * 24);
const LINK: &str = "make a link to";

/// A URL that is as good as a password for one object.
///
/// No `Debug` shows it.
#[derive(Clone)]
pub struct PresignedUrl(Zeroizing<String>);

impl PresignedUrl {
    /// The URL. Whoever has it can read the object.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresignedUrl(..)")
    }
}

impl Client {
    /// A link to an object, valid for at least a second and at most seven days.
    pub(super) fn presigned_get(&self, path: &RelPath, valid: Duration) -> Result<PresignedUrl> {
        let refuse = |why: String| Error::new(Code::Invalid, LINK, path).because(why);
        if valid < Duration::from_secs(1) || valid > LONGEST {
            return Err(refuse("it can be valid for one second to seven days".into()));
        }
        let options = &self.site.options;
        let style = if options.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let endpoint = options.endpoint.parse().map_err(|e| refuse(format!("the endpoint is no URL: {e}")))?;
        let bucket =
            Bucket::new(endpoint, style, options.bucket.clone(), self.region()).map_err(|e| refuse(e.to_string()))?;
        let secret = options.secret_key.expose_text()?;
        let credentials = match &options.session_token {
            Some(token) => Credentials::new_with_token(&options.access_key, secret, token.expose_text()?),
            None => Credentials::new(&options.access_key, secret),
        };
        let key = self.site.key(LINK, path)?;
        let url = bucket.get_object(Some(&credentials), &key).sign(valid);
        Ok(PresignedUrl(Zeroizing::new(url.into())))
    }
}
