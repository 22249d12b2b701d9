//! Records as they come in.
//!
//! Methods that wait are no `async fn`: those would hold the receiver, which Node frees with its environment (a worker that is
//! terminated) while they still wait. What they begin owns what it needs.

use napi::bindgen_prelude::Result;
use serde::de::DeserializeOwned;

/// A record, as JSON text. In a list of one, as a text given in the place of a record must not be taken for one.
pub(crate) type Given = (String,);

/// The record that was given.
pub(crate) fn record<T: DeserializeOwned>(name: &'static str, given: Given) -> Result<T> {
    Ok(portbook_ffi::read_record(name, &given.0)?)
}

/// As [`record`], with every field at its default where none was given.
pub(crate) fn record_or_default<T: DeserializeOwned + Default>(name: &'static str, given: Option<Given>) -> Result<T> {
    given.map_or_else(|| Ok(T::default()), |given| record(name, given))
}

/// What a call that returns at once comes to: a panic must not leave it, as nothing above it is ours. (One that is awaited is caught
/// by napi.)
pub(crate) fn at_once<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    portbook_ffi::caught(|| Ok(call()))?
}

/// How many rows a page is to have: as many as it may, unless told otherwise.
pub(crate) fn rows(limit: Option<i64>) -> Result<u32> {
    limit.map_or(Ok(u32::MAX), |limit| record("limit", (limit.to_string(),)))
}
