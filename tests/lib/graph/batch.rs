//! Many requests in one ("Combine multiple HTTP requests using JSON batching"): at most twenty, each answered and metered for
//! itself. Those that nothing holds back run at the same time, and answers come in any order: here in the reverse one.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use super::Shared;
use super::serve;
use super::wire::{Asked, Refusal, Reply};

const MOST: usize = 20;

struct Inner {
    id: String,
    asked: Asked,
    depends_on: Vec<String>,
}

/// Answers a batch; none when the connection is to be lost.
pub async fn answer(shared: &Arc<Shared>, outer: &Asked) -> Option<Result<Reply, Refusal>> {
    let mut waiting = match read(outer) {
        Ok(requests) => requests,
        Err(refusal) => return Some(Err(refusal)),
    };
    let mut done: HashMap<String, u16> = HashMap::new();
    let mut answers = Vec::new();
    while !waiting.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|inner| inner.depends_on.iter().all(|id| done.contains_key(id)));
        // Requests that wait for each other never start.
        if ready.is_empty() {
            return Some(Err(Refusal::bad("dependsOn goes round in a circle")));
        }
        waiting = later;
        let one = async |inner: Inner| {
            let has_failed = inner.depends_on.iter().any(|id| done.get(id).is_some_and(|status| *status >= 400));
            let reply = if has_failed {
                let refusal = Refusal::new(424, "failedDependency", "A request that this one depends on has failed");
                serve::refused(shared, &inner.asked, refusal)
            } else {
                Box::pin(serve::answer(shared, inner.asked)).await?
            };
            Some((inner.id, reply))
        };
        let replies = join_all(ready.into_iter().map(one)).await;
        for (id, reply) in replies.into_iter().collect::<Option<Vec<_>>>()? {
            done.insert(id.clone(), reply.status);
            answers.push(shown(&id, reply));
        }
    }
    answers.reverse();
    Some(Ok(Reply::new(200, json!({ "responses": answers }))))
}

fn shown(id: &str, reply: Reply) -> Value {
    let mut headers: Map<String, Value> =
        reply.headers.into_iter().map(|(name, value)| (title_case(name), value.into())).collect();
    if reply.body.is_some() {
        headers.insert("Content-Type".to_owned(), "application/json".into());
    }
    let mut answer = json!({ "id": id, "status": reply.status, "headers": headers });
    if let Some(body) = reply.body {
        answer["body"] = body;
    }
    answer
}

/// As in `Retry-After`.
fn title_case(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect::<Vec<_>>().join("-")
}

fn read(outer: &Asked) -> Result<Vec<Inner>, Refusal> {
    let body = outer.object()?;
    let requests = body.get("requests").and_then(Value::as_array);
    let requests = requests.ok_or_else(|| Refusal::bad("a batch has a list of requests"))?;
    if requests.is_empty() || requests.len() > MOST {
        return Err(Refusal::bad(format!("a batch has from 1 to {MOST} requests, this one has {}", requests.len())));
    }
    let mut all: Vec<Inner> = Vec::new();
    for request in requests {
        let inner = inner(outer, request)?;
        if all.iter().any(|other| other.id == inner.id) {
            return Err(Refusal::bad(format!("the id {} stands at more than one request", inner.id)));
        }
        all.push(inner);
    }
    let is_there = |id: &String| all.iter().any(|inner| inner.id == *id);
    if let Some(odd) = all.iter().flat_map(|inner| &inner.depends_on).find(|id| !is_there(id)) {
        return Err(Refusal::bad(format!("dependsOn names {odd}, which no request has")));
    }
    Ok(all)
}

fn inner(outer: &Asked, request: &Value) -> Result<Inner, Refusal> {
    let text = |key: &str| {
        let value = request.get(key).and_then(Value::as_str).filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::bad(format!("a request of a batch has a text {key}")))
    };
    let (id, method, url) = (text("id")?, text("method")?, text("url")?);
    let method = match method {
        "GET" | "POST" | "PATCH" | "PUT" | "DELETE" => Method::from_bytes(method.as_bytes()),
        _ => return Err(Refusal::bad(format!("the method {method} is not served in a batch"))),
    };
    let (path, query) = Asked::target(url);
    let body = request.get("body").filter(|body| !body.is_null());
    let headers = headers(outer, request)?;
    if body.is_some() && !headers.contains_key("content-type") {
        return Err(Refusal::bad(format!("Write request id : {id} does not contain Content-Type header or body.")));
    }
    let depends_on = match request.get("dependsOn") {
        None | Some(Value::Null) => Vec::new(),
        Some(ids) => serde_json::from_value(ids.clone()).map_err(|_| Refusal::bad("dependsOn is a list of ids"))?,
    };
    let asked = Asked {
        method: method.map_err(|_| Refusal::bad("a method is missing"))?,
        path: format!("/v1.0/{}", path.trim_start_matches('/')),
        query,
        headers,
        body: body.map(Value::to_string).unwrap_or_default().into(),
        origin: outer.origin.clone(),
        in_batch: true,
    };
    Ok(Inner { id: id.to_owned(), asked, depends_on })
}

/// Its own, with the outer request's proof of who asks.
fn headers(outer: &Asked, request: &Value) -> Result<HeaderMap, Refusal> {
    let odd = || Refusal::bad("headers are an object of texts");
    let mut headers = HeaderMap::new();
    let given = match request.get("headers") {
        None | Some(Value::Null) => None,
        Some(given) => Some(given.as_object().ok_or_else(odd)?),
    };
    for (name, value) in given.into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| odd())?;
        let value = HeaderValue::from_str(value.as_str().ok_or_else(odd)?).map_err(|_| odd())?;
        headers.insert(name, value);
    }
    for name in ["authorization", "user-agent"] {
        outer.headers.get(name).into_iter().for_each(|value| drop(headers.insert(name, value.clone())));
    }
    Ok(headers)
}
