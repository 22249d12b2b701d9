//! A client that says exactly what a test wants it to say.

use reqwest::Method;
use serde_json::{Value, json};

use crate::graph::{AppOptions, GraphOptions, GraphServer, HandClock};

/// A server and somebody who has a token for it.
pub struct World {
    pub server: GraphServer,
    pub clock: std::sync::Arc<HandClock>,
    http: reqwest::Client,
    pub token: String,
    pub site: String,
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

pub const SITE: &str = "/sites/contoso.sharepoint.com:/sites/Team";

impl World {
    pub async fn start() -> Self {
        Self::with(GraphOptions::default()).await
    }

    pub async fn with(options: GraphOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = HandClock::at("2026-01-05T12:00:00Z");
        let server = GraphServer::start(GraphOptions { clock: clock.clone(), ..options });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut world = Self { server, clock, http, token: String::new(), site: String::new() };
        world.sign_in().await;
        let site = world.get(SITE).await;
        world.site = format!("/sites/{}", site.body["id"].as_str().unwrap());
        world
    }

    pub async fn sign_in(&mut self) {
        let app = AppOptions::default();
        let answer = self.ask_token(&[("client_id", &app.id), ("client_secret", &app.secret)]).await;
        self.token = answer.body["access_token"].as_str().unwrap().to_owned();
    }

    /// Asks for a token by client credentials, with these fields beside.
    pub async fn ask_token(&self, fields: &[(&str, &str)]) -> Answer {
        let all = [("grant_type", "client_credentials"), ("scope", "https://graph.microsoft.com/.default")];
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(all.iter().filter(|(name, _)| fields.iter().all(|(given, _)| given != name)));
        form.extend_pairs(fields);
        let url = format!("{}/{}/oauth2/v2.0/token", self.server.url(), GraphOptions::default().tenant);
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        answered(request.body(form.finish())).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask("PATCH", path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, None, &[]).await
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Answer {
        self.try_ask(method, path, body, headers).await.unwrap()
    }

    /// A path begins after the version, or is a whole URL.
    pub async fn try_ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/v1.0{path}", self.server.url()) };
        let mut request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                request = request.header("content-type", "application/json");
            }
        }
        request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answered(request).await
    }

    /// Makes a list, and answers its path.
    pub async fn list(&self, title: &str, columns: Value) -> String {
        let body = json!({ "displayName": title, "columns": columns, "list": { "template": "genericList" } });
        let made = self.post(&format!("{}/lists", self.site), body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        format!("{}/lists/{}", self.site, made.body["id"].as_str().unwrap())
    }

    /// Makes an item, and answers its id.
    pub async fn item(&self, list: &str, fields: Value) -> u64 {
        let made = self.post(&format!("{list}/items"), json!({ "fields": fields })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body["id"].as_str().unwrap().parse().unwrap()
    }
}

impl Answer {
    /// Status and code, the most exact one.
    pub fn refused(&self) -> (u16, &str) {
        let error = &self.body["error"];
        let code = error["innerError"]["code"].as_str().or(error["code"].as_str());
        (self.status, code.unwrap_or_else(|| panic!("no error: {} {}", self.status, self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn link(&self, name: &str) -> Option<&str> {
        self.body.get(format!("@odata.{name}Link"))?.as_str()
    }

    /// The ids of a page.
    pub fn ids(&self) -> Vec<&str> {
        self.body["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap_or("?")).collect()
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Ok(Answer { status, headers, body })
}
