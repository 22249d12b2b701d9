//! What lets the program in at a place: from `PORTBOOK_*` variables, or asked of the person at the terminal. Never from
//! the command line, where every user of the machine could read it.

use std::ffi::OsString;
use std::io::IsTerminal as _;

use portbook::model::SecretBytes;
use portbook::provider::{Access, Address};
use portbook::{Code, Error, Result, Trust};

/// Reads one variable; the environment in the program, a table in tests.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What the variables say of a place of this scheme.
///
/// # Errors
/// `invalid` when one of them cannot be used; the error names the variable, never what it holds.
pub(crate) fn from_variables(address: &Address, variables: Variables<'_>) -> Result<Access> {
    let family = family(address);
    let named = |what: &str| format!("PORTBOOK_{family}_{what}");
    let raw = |what: &str| variables(&named(what)).filter(|value| !value.is_empty());
    let text = |what: &str| raw(what).map(|value| utf8(&named(what), value)).transpose();
    let secret = |what: &str| raw(what).map(|value| SecretBytes::from(value.into_encoded_bytes()));
    let flag = |what: &str| text(what).map(|value| value.is_some_and(|v| !matches!(v.as_str(), "0" | "false" | "no")));
    let is_s3 = matches!(address, Address::S3 { .. });
    let (user, password, token) =
        if is_s3 { ("ACCESS_KEY", "SECRET_KEY", "SESSION_TOKEN") } else { ("USER", "PASSWORD", "TOKEN") };
    let trust = match variables("PORTBOOK_CA_FILE").filter(|file| !file.is_empty()) {
        Some(file) => Trust::Authorities(file.into()),
        None => Trust::System,
    };
    let header = text("HEADER")?.map(|line| header(&named("HEADER"), line)).transpose()?;
    // As ssh has it (ssh_config(5), `User`).
    let local = || ["USER", "LOGNAME"].iter().find_map(|name| variables(name).filter(|user| !user.is_empty()));
    let local = || local().and_then(|user| user.into_string().ok());
    let is_nameless = matches!(address, Address::Sftp(server) if server.user.is_none());
    Ok(Access {
        user: text(user)?.or_else(|| if is_nameless { local() } else { None }),
        password: secret(password),
        token: secret(token),
        header,
        digest: flag("DIGEST")?,
        lock: flag("LOCK")?,
        key_file: raw("KEY_FILE").map(Into::into),
        passphrase: secret("PASSPHRASE"),
        host_key: text("HOST_KEY")?,
        known_hosts: raw("KNOWN_HOSTS").map(Into::into),
        trust,
        endpoint: text("ENDPOINT")?,
        region: text("REGION")?,
        path_style: text("PATH_STYLE")?.map(|v| !matches!(v.as_str(), "0" | "false" | "no")),
        tls12_only: flag("TLS12")?,
        implicit: None,
        plain: flag("PLAIN")?,
        query_param: text("QUERY_PARAM")?,
        index: text("INDEX")?,
    })
}

/// The variables of one protocol begin with this after `PORTBOOK_`.
fn family(address: &Address) -> &'static str {
    match address {
        Address::S3 { .. } => "S3",
        Address::Sftp(_) => "SFTP",
        Address::Ftp(_) | Address::Ftps(_) => "FTP",
        Address::WebDav(_) => "DAV",
        Address::Http(_) => "HTTP",
    }
}

fn utf8(variable: &str, value: OsString) -> Result<String> {
    value.into_string().map_err(|_| {
        Error::new(Code::Invalid, "use the variable", variable.to_owned()).because("what it holds is not UTF-8")
    })
}

/// `Name: value`.
fn header(variable: &str, line: String) -> Result<(String, SecretBytes)> {
    let (name, value) = line.split_once(':').ok_or_else(|| {
        Error::new(Code::Invalid, "use the variable", variable.to_owned())
            .because("it is not of the form 'Name: value'")
    })?;
    Ok((name.trim().to_owned(), SecretBytes::from(value.trim())))
}

/// Asks for the password where an account is named, nothing else lets one in, and there is somebody to ask.
///
/// # Errors
/// `storage` when the terminal cannot be read.
pub(crate) fn ask(address: &Address, access: &mut Access) -> Result<()> {
    let has_account = access.user.is_some()
        || match address {
            Address::S3 { .. } => false,
            Address::Sftp(server) | Address::Ftp(server) | Address::Ftps(server) => server.user.is_some(),
            Address::WebDav(web) | Address::Http(web) => web.user.is_some(),
        };
    // The agent's keys are tried before anyone is asked.
    let has_agent = matches!(address, Address::Sftp(_)) && std::env::var_os("SSH_AUTH_SOCK").is_some();
    if !access.is_anonymous() || !has_account || has_agent || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let typed = rpassword::prompt_password(format!("Password for {address}: "))
        .map_err(|e| Error::io("read the password for", address, e))?;
    access.password = (!typed.is_empty()).then(|| typed.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn access(address: &str, variables: &[(&str, &str)]) -> Result<Access> {
        let table: HashMap<_, _> = variables.iter().copied().collect();
        from_variables(&address.parse()?, &|name| table.get(name).map(OsString::from))
    }

    #[test]
    fn each_protocol_has_variables_of_its_own() {
        let variables = [
            ("PORTBOOK_S3_ACCESS_KEY", "id"),
            ("PORTBOOK_S3_SECRET_KEY", "hunter2"),
            ("PORTBOOK_S3_ENDPOINT", "http://127.0.0.1:9000"),
            ("PORTBOOK_SFTP_PASSWORD", "swordfish"),
            ("PORTBOOK_CA_FILE", "/ca.pem"),
        ];
        let s3 = access("s3://bucket/a", &variables).expect("usable");
        assert_eq!((s3.user.as_deref(), s3.endpoint.as_deref()), (Some("id"), Some("http://127.0.0.1:9000")));
        assert_eq!(s3.password.expect("a secret").expose(), b"hunter2");
        assert_eq!(s3.trust, Trust::Authorities("/ca.pem".into()));
        let sftp = access("sftp://me@host/a", &variables).expect("usable");
        assert_eq!(sftp.password.expect("a password").expose(), b"swordfish");
        assert!(access("dav://host/a", &variables).expect("usable").is_anonymous());
    }

    #[test]
    fn sftp_is_entered_by_the_local_user_unless_another_is_named() {
        let local = [("USER", "anna")];
        assert_eq!(access("sftp://host/a", &local).expect("usable").user.as_deref(), Some("anna"));
        let named = [("USER", "anna"), ("PORTBOOK_SFTP_USER", "berta")];
        assert_eq!(access("sftp://host/a", &named).expect("usable").user.as_deref(), Some("berta"));
        assert_eq!(access("sftp://me@host/a", &local).expect("usable").user, None);
        assert_eq!(access("ftp://host/a", &local).expect("usable").user, None);
    }

    #[test]
    fn a_header_has_a_name_and_a_value_that_is_never_shown() {
        let access = |line| access("https://host/a", &[("PORTBOOK_HTTP_HEADER", line)]);
        let (name, value) = access("X-Token: hunter2 ").expect("usable").header.expect("a header");
        assert_eq!((name.as_str(), value.expose()), ("X-Token", &b"hunter2"[..]));
        let error = access("hunter2").expect_err("no header");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn flags_are_on_unless_they_say_no() {
        for (word, is_on) in [("1", true), ("yes", true), ("0", false), ("false", false), ("no", false)] {
            let access = access("ftp://host/a", &[("PORTBOOK_FTP_PLAIN", word)]).expect("usable");
            assert_eq!(access.plain, is_on, "{word}");
        }
    }
}
