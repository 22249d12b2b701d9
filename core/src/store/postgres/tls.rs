//! TLS as libpq's modes mean it.

use std::path::Path;

use tokio_postgres_rustls::MakeRustlsConnect;

use super::options::TlsMode;
use crate::error::Result;
use crate::tls::{Asked, config};

/// What makes TLS connections of that mode. Trust comes from the file, or from the system where none is named.
pub(super) fn connector(mode: TlsMode, ca_file: Option<&Path>) -> Result<MakeRustlsConnect> {
    let asked = match mode {
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => Asked::Nothing,
        TlsMode::VerifyCa => Asked::Issuer(ca_file),
        TlsMode::VerifyFull => Asked::Name(ca_file),
    };
    Ok(MakeRustlsConnect::new(config(asked, false)?))
}
