//! Clients that Microsoft wrote: what they ask for is what is served, and what is answered is what they expect.

use std::path::Path;
use std::process::Command;

use crate::graph::{AppOptions, Fault, GraphOptions, GraphServer};
use crate::service::Service;

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/graph");

/// A server as such clients need it: with TLS for tokens, and by the machine's clock, by which assertions are signed.
fn server() -> GraphServer {
    let clock = portbook::operation::SystemClock::shared();
    GraphServer::start(GraphOptions { clock, is_secured: true, ..GraphOptions::default() })
}

/// What a program says, line by line; it must end well.
fn said(command: &mut Command) -> Vec<String> {
    let ran = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    out.lines().map(str::to_owned).collect()
}

fn told<'a>(
    command: &'a mut Command,
    server: &GraphServer,
    graph: &str,
    certificate: Option<&Path>,
) -> &'a mut Command {
    let (app, options) = (AppOptions::default(), GraphOptions::default());
    command.env("GRAPH_URL", graph).env("AUTHORITY_URL", server.secured_url()).env("TENANT", options.tenant);
    command.env("CLIENT", app.id).env("SECRET", app.secret);
    command.env("REQUESTS_CA_BUNDLE", server.authority()).env("NODE_EXTRA_CA_CERTS", server.authority());
    command.env("NO_PROXY", "localhost,127.0.0.1").env("no_proxy", "localhost,127.0.0.1");
    command.envs(certificate.map(|file| ("CERTIFICATE", file)))
}

/// A key with a certificate, which the server trusts from then on.
fn certificate(python: &str, server: &GraphServer, dir: &Path) -> std::path::PathBuf {
    said(Command::new(python).arg(format!("{PROGRAMS}/official.py")).arg("certificate").arg(dir));
    server.trust_certificate(&AppOptions::default().id, &std::fs::read(dir.join("certificate.der")).unwrap());
    dir.join("both.pem")
}

#[test]
fn the_sdk_for_python_is_at_home() {
    let Some(sdk) = Service::start("msgraph_python", &[]) else { return };
    let server = server();
    let certificate = certificate(&sdk.address, &server, sdk.directory());
    // It waits and asks again, as it does of the service.
    server.fail("GET", "/columns", Fault::Before { status: 429, retry_after: Some(1) });
    let mut command = Command::new(&sdk.address);
    command.arg(format!("{PROGRAMS}/official.py"));
    let steps = said(told(&mut command, &server, &server.url(), Some(&certificate)));
    assert_eq!(steps.last().map(String::as_str), Some("the list is deleted"));
    let counters = server.counters();
    assert!(counters.tokens >= 2, "{} tokens", counters.tokens);
    assert_eq!((counters.batches, counters.by_status[&412], counters.by_status[&429]), (1, 2, 1));
}

#[test]
fn the_client_for_node_is_at_home() {
    let Some(client) = Service::start("msgraph_node", &[]) else { return };
    let (node, modules) = client.address.split_once(' ').unwrap();
    let server = server();
    // The certificate is made by Python, without which there is a step less.
    let python = Service::start("msgraph_python", &[]);
    let certificate = python.as_ref().map(|python| certificate(&python.address, &server, python.directory()));
    server.fail("GET", "/columns", Fault::Before { status: 503, retry_after: Some(1) });
    let mut command = Command::new(node);
    command.arg(format!("{PROGRAMS}/official.mjs")).current_dir(modules);
    let steps = said(told(&mut command, &server, &server.secured_url(), certificate.as_deref()));
    assert_eq!(steps.iter().any(|step| step == "a token by certificate"), certificate.is_some());
    assert_eq!(steps.last().map(String::as_str), Some("the list is deleted"));
    let counters = server.counters();
    assert_eq!((counters.batches, counters.by_status[&412], counters.by_status[&503]), (2, 2, 1));
}
