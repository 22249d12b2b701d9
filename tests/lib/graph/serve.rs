//! From a connection to an answer.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::faults::Fault;
use super::route::{At, Route};
use super::wire::{Answered, Asked, Refusal, Reply};
use super::world::World;
use super::{Shared, batch, delta, item, list, page, token};

const BATCH: &str = "/v1.0/$batch";

/// Answers all requests of a connection, until one is to be lost.
pub async fn connection<S>(shared: Arc<Shared>, stream: S, scheme: &'static str)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            // A connection whose service fails ends without a word.
            let asked = read(request, scheme).await.ok_or("the request could not be read")?;
            let head = asked.method == Method::HEAD;
            let client_id = asked.header("client-request-id").map(str::to_owned);
            let reply = answer(&shared, asked).await.ok_or("this answer is to be lost")?;
            Ok::<_, &'static str>(response(&shared, reply, client_id, head))
        }
    });
    // How it ends is the client's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn read(request: Request<Incoming>, scheme: &str) -> Option<Asked> {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host")?.to_str().ok()?;
    let (path, query) = Asked::target(head.uri.path_and_query()?.as_str());
    let origin = format!("{scheme}://{host}");
    let body = body.collect().await.ok()?.to_bytes();
    Some(Asked { method: head.method, path, query, headers: head.headers, body, origin, in_batch: false })
}

fn response(shared: &Shared, reply: Reply, client_id: Option<String>, is_head: bool) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(reply.status).header("date", shared.date());
    if !reply.headers.iter().any(|(name, _)| *name == "request-id") {
        builder = builder.header("request-id", shared.guid().to_string());
    }
    if let Some(id) = client_id {
        builder = builder.header("client-request-id", id);
    }
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    let body = match reply.body {
        Some(body) => {
            builder = builder.header("content-type", "application/json; odata.metadata=minimal; charset=utf-8");
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    builder.body(Full::new(if is_head { Bytes::new() } else { body })).expect("headers of this server are sound")
}

/// Answers a request, of its own or from a batch; none when the connection is to be lost.
pub async fn answer(shared: &Arc<Shared>, asked: Asked) -> Option<Reply> {
    let reply = with_faults(shared, &asked).await;
    if asked.path.starts_with("/v1.0/") && asked.path != BATCH {
        shared.world().counters.note(&asked, reply.as_ref().map_or(0, |reply| reply.status));
    }
    reply
}

async fn with_faults(shared: &Arc<Shared>, asked: &Asked) -> Option<Reply> {
    let fault = shared.faults().take(asked);
    let mut after = None;
    match fault {
        None => {}
        Some(Fault::LostBefore) => return None,
        Some(Fault::Before { status, retry_after }) => {
            return Some(refused(shared, asked, said(status, retry_after)));
        }
        Some(Fault::Slow(duration)) => tokio::time::sleep(duration).await,
        Some(Fault::Meanwhile(act)) => act(shared),
        Some(fault @ (Fault::LostAfter | Fault::After { .. })) => after = Some(fault),
    }
    let reply = if asked.path == BATCH && !asked.in_batch {
        match outer(shared, asked) {
            Ok(()) => batch::answer(shared, asked).await?.unwrap_or_else(|refusal| refused(shared, asked, refusal)),
            Err(refusal) => refused(shared, asked, refusal),
        }
    } else if let Some(reply) = token::answer(shared, asked) {
        reply
    } else {
        perform(shared, asked).await
    };
    match after {
        Some(Fault::LostAfter) => None,
        Some(Fault::After { status, retry_after }) => Some(refused(shared, asked, said(status, retry_after))),
        _ => Some(reply),
    }
}

fn said(status: u16, retry_after: Option<u64>) -> Refusal {
    let refusal = Refusal::by_status(status);
    retry_after.into_iter().fold(refusal, |refusal, seconds| refusal.with("retry-after", seconds.to_string()))
}

/// The error document for a request.
pub fn refused(shared: &Shared, asked: &Asked, refusal: Refusal) -> Reply {
    let id = shared.guid().to_string();
    let client_id = asked.header("client-request-id").unwrap_or(&id);
    let date = super::world::time(shared.now_ms());
    let reply = refusal.reply(&id, client_id, date.trim_end_matches('Z'));
    let status = reply.status;
    shared.world().counters.throttled += u64::from(status == 429);
    reply.with("request-id", id)
}

/// A batch is checked itself, and not metered.
fn outer(shared: &Shared, asked: &Asked) -> Result<(), Refusal> {
    let now_ms = shared.now_ms();
    let mut world = shared.world();
    world.tokens.application(asked, now_ms)?;
    world.counters.batches += 1;
    if asked.method == Method::POST {
        Ok(())
    } else {
        Err(Refusal::new(405, "Request_BadRequest", "a batch is posted"))
    }
}

async fn perform(shared: &Arc<Shared>, asked: &Asked) -> Reply {
    let (mut rate, mut changing) = (None, None);
    let answered = attempt(shared, asked, &mut rate, &mut changing);
    // The columns of a list are being changed until this is over.
    if let Some(id) = changing {
        let window = shared.world().rules.schema_window;
        tokio::time::sleep(window).await;
        shared.world().lists.iter_mut().filter(|list| list.id == id).for_each(|list| list.is_changing = false);
    }
    let mut reply = answered.unwrap_or_else(|refusal| refused(shared, asked, refusal));
    reply.headers.extend(rate.into_iter().flat_map(super::meter::Rate::headers));
    reply
}

fn attempt(
    shared: &Shared,
    asked: &Asked,
    rate: &mut Option<super::meter::Rate>,
    changing: &mut Option<String>,
) -> Answered {
    let now_ms = shared.now_ms();
    let world = &mut *shared.world();
    let app = world.tokens.application(asked, now_ms)?;
    let route = Route::read(asked)?;
    let meter = world.meters.entry(app.clone()).or_default();
    *rate = meter.charge(world.budget, now_ms, route.units(asked))?;
    let role = world.apps.iter().find(|known| known.id == app).map(|app| app.role);
    if role.is_none_or(|role| role < route.needs(asked)) {
        return Err(Refusal::by_status(403));
    }
    let columns_of = match &route {
        Route::Columns(at) | Route::Column(at, _) if asked.method != Method::GET => Some(at),
        _ => None,
    };
    let Some(at) = columns_of else { return dispatch(world, &route, asked, now_ms) };
    let place = find(world, at)?;
    let was_changing = world.lists[place].is_changing;
    let reply = dispatch(world, &route, asked, now_ms)?;
    if was_changing {
        // The change is there nevertheless (pnp/pnpjs#2646).
        let message = "Save Conflict. Your changes conflict with those made concurrently by another user.";
        return Err(Refusal::new(409, "conflict", message).of("-2130575305, Microsoft.SharePoint.SPException"));
    }
    world.lists[place].is_changing = true;
    *changing = Some(world.lists[place].id.clone());
    Ok(reply)
}

fn find(world: &World, at: &At) -> Result<usize, Refusal> {
    world.list(world.site(&at.site)?, &at.list)
}

fn dispatch(world: &mut World, route: &Route, asked: &Asked, now_ms: i64) -> Answered {
    let method = asked.method.as_str();
    match (method, route) {
        ("GET", Route::Sites) => list::search_sites(world, asked),
        ("GET", Route::Site(site)) => list::get_site(world, world.site(site)?, asked),
        ("GET", Route::Permissions(site)) => world.site(site).map(|_| Reply::new(200, json!({ "value": [] }))),
        ("GET", Route::Lists(site)) => list::get_lists(world, world.site(site)?, asked),
        ("POST", Route::Lists(site)) => list::create(world, world.site(site)?, asked, now_ms),
        ("GET", Route::List(at)) => list::get(world, find(world, at)?, asked),
        ("PATCH", Route::List(at)) => list::update(world, find(world, at)?, asked, now_ms),
        ("DELETE", Route::List(at)) => list::delete(world, find(world, at)?, asked),
        ("GET", Route::Columns(at)) => list::get_columns(world, find(world, at)?, asked),
        ("POST", Route::Columns(at)) => list::create_column(world, find(world, at)?, asked),
        ("GET", Route::Column(at, name)) => list::get_column(world, find(world, at)?, name, asked),
        ("PATCH", Route::Column(at, name)) => list::update_column(world, find(world, at)?, name, asked),
        ("DELETE", Route::Column(at, name)) => list::delete_column(world, find(world, at)?, name, asked),
        ("GET", Route::Items(at)) => page::get(world, find(world, at)?, asked),
        ("POST", Route::Items(at)) => item::create(world, find(world, at)?, asked, now_ms),
        ("GET", Route::Item(at, id)) => item::get(world, find(world, at)?, *id, asked),
        ("PATCH", Route::Item(at, id)) => item::update(world, find(world, at)?, *id, asked, true, now_ms),
        ("DELETE", Route::Item(at, id)) => item::delete(world, find(world, at)?, *id, asked),
        ("GET", Route::Fields(at, id)) => item::get_fields(world, find(world, at)?, *id, asked),
        ("PATCH", Route::Fields(at, id)) => item::update(world, find(world, at)?, *id, asked, false, now_ms),
        ("GET", Route::Delta(at, token)) => delta::get(world, find(world, at)?, token.as_deref(), asked, now_ms),
        _ => Err(Refusal::new(405, "Request_BadRequest", format!("the method {method} is not allowed here"))),
    }
}
