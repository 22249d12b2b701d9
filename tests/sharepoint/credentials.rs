//! How an application shows who it is, and that what it shows is shown to nobody else.

use std::path::Path;
use std::process::Command;

use portbook::Code;
use portbook::endpoint::Endpoint as _;
use portbook::endpoint::sharepoint::{SharepointEndpoint, SharepointOptions};

use crate::fixture::Site;
use crate::graph::{AppOptions, GraphOptions};

#[tokio::test]
async fn a_wrong_secret_is_said_in_entras_words_and_not_shown() {
    let site = Site::with(GraphOptions::default(), |options| options.client_secret = "hunter2-and-more".into());
    let error = site.endpoint.probe().await.unwrap_err();
    assert_eq!(error.code(), Code::Auth);
    let words = format!("{error} {error:?}");
    assert!(words.contains("AADSTS7000215") && !words.contains("hunter2"), "{words}");
}

/// The server takes what Microsoft's own library signs (tests/graph/official.py).
#[tokio::test]
async fn an_application_may_show_a_certificate() {
    let made = tempfile::tempdir().unwrap();
    let Some((pem, der)) = certificate(made.path(), "rsa:2048") else { return };
    let registered = || AppOptions { certificate: Some(der.clone()), secret: String::new(), ..AppOptions::default() };
    let options = || GraphOptions { apps: vec![registered()], ..GraphOptions::default() };
    let site = Site::with(options(), |options| options.client_secret = pem.as_str().into());
    assert!(site.endpoint.probe().await.unwrap().product.contains("Team"));

    let elsewhere = tempfile::tempdir().unwrap();
    let Some((others, _)) = certificate(elsewhere.path(), "rsa:2048") else { return };
    let strange = site.another(|options| options.client_secret = others.as_str().into());
    let error = strange.probe().await.unwrap_err();
    let words = format!("{error} {error:?}");
    assert_eq!(error.code(), Code::Auth);
    assert!(words.contains("AADSTS700027") && !words.contains("PRIVATE KEY"), "{words}");
    // One that was made for the key of another certificate.
    let mixed = format!(
        "{}{}",
        &pem[..pem.find("-----BEGIN CERTIFICATE").unwrap()],
        &others[others.find("-----BEGIN CERTIFICATE").unwrap()..]
    );
    let strange = site.another(|options| options.client_secret = mixed.as_str().into());
    assert_eq!(strange.probe().await.unwrap_err().code(), Code::Auth);
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_before_anything_is_sent() {
    let made = tempfile::tempdir().unwrap();
    let Some((pem, _)) = certificate(made.path(), "rsa:2048") else { return };
    let (key, alone) = pem.split_at(pem.find("-----BEGIN CERTIFICATE").unwrap());
    let elsewhere = tempfile::tempdir().unwrap();
    let Some((curve, _)) = certificate(elsewhere.path(), "ec") else { return };
    let broken = format!("-----BEGIN PRIVATE KEY-----\nhunter22\n-----END PRIVATE KEY-----\n{alone}");
    for (pem, why) in [
        (key, "no certificate"),
        (alone, "no private key"),
        (curve.as_str(), "not RSA"),
        (broken.as_str(), "none that can be used"),
    ] {
        let options = SharepointOptions::new("t", "a", pem.into(), "h", "/");
        let error = SharepointEndpoint::new(options).err().unwrap();
        assert_eq!(error.code(), Code::Invalid);
        assert!(error.to_string().contains(why) && !error.to_string().contains("hunter2"), "{error}");
    }
}

/// A key and a certificate for it: as PEM, and the certificate as DER.
fn certificate(dir: &Path, kind: &str) -> Option<(String, Vec<u8>)> {
    let (key, made, der) = (dir.join("key.pem"), dir.join("made.pem"), dir.join("made.der"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=an application", "-newkey", kind]);
    if kind == "ec" {
        openssl.args(["-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    }
    match openssl.arg("-keyout").arg(&key).arg("-out").arg(&made).output() {
        Ok(done) if done.status.success() => {}
        other => {
            println!("SKIPPED certificates of applications: openssl makes none: {other:?}");
            return None;
        }
    }
    let converted =
        Command::new("openssl").args(["x509", "-outform", "DER"]).arg("-in").arg(&made).arg("-out").arg(&der).status();
    assert!(converted.unwrap().success());
    let text = |path| std::fs::read_to_string(path).unwrap();
    Some((text(key) + &text(made), std::fs::read(der).unwrap()))
}

#[tokio::test]
async fn secrets_travel_by_https_alone() {
    let site = Site::start();
    let mut options = SharepointOptions::new("t", "a", "s".into(), "h", "/");
    options.clock = site.clock.clone();
    options.graph = "http://graph.example/v1.0".into();
    let refused = SharepointEndpoint::new(options);
    assert_eq!(refused.err().unwrap().code(), Code::Invalid);
}
