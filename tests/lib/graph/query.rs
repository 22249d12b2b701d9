//! The options of a query, of which each resource takes its own and refuses the others ("Use query parameters to customize
//! responses"). The `$` may be left out, as in v1.0 of the service.

use serde_json::Value;

use super::wire::{Asked, Refusal};

/// What a query asks for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub select: Option<Vec<String>>,
    pub expand: Option<String>,
    pub filter: Option<String>,
    pub orderby: Option<String>,
    pub top: Option<usize>,
    pub skiptoken: Option<String>,
    pub search: Option<String>,
    pub token: Option<String>,
}

/// Which members of `fields` are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expand {
    Nothing,
    All,
    Named(Vec<String>),
}

const KNOWN: [&str; 10] =
    ["select", "expand", "filter", "orderby", "top", "skiptoken", "search", "token", "count", "skip"];

impl Query {
    /// Reads the options of a request, of which only these are taken.
    pub fn read(asked: &Asked, taken: &[&str]) -> Result<Self, Refusal> {
        let mut query = Self::default();
        let mut seen = Vec::new();
        for (key, value) in &asked.query {
            let name = key.strip_prefix('$').unwrap_or(key);
            if !KNOWN.contains(&name) && !key.starts_with('$') {
                continue;
            }
            if !taken.contains(&name) {
                return Err(Refusal::invalid(format!("The query option '{key}' is not supported here")));
            }
            if seen.contains(&name) {
                return Err(Refusal::bad(format!("Query option '{key}' was specified more than once")));
            }
            seen.push(name);
            query.set(name, value)?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let text = Some(value.to_owned());
        match name {
            "select" => self.select = Some(value.split(',').map(|name| name.trim().to_owned()).collect()),
            "expand" => self.expand = text,
            "filter" => self.filter = text,
            "orderby" => self.orderby = text,
            "skiptoken" => self.skiptoken = text,
            "search" => self.search = text,
            "token" => self.token = text,
            _ => {
                let top = value.parse().ok().filter(|top| *top > 0);
                let message = || Refusal::bad(format!("Invalid value '{value}' for $top query option"));
                self.top = Some(top.ok_or_else(message)?);
            }
        }
        Ok(())
    }

    /// Items can show their fields, all of them or some.
    pub fn fields(&self) -> Result<Expand, Refusal> {
        let Some(expand) = self.expand.as_deref().map(str::trim) else { return Ok(Expand::Nothing) };
        if expand == "fields" {
            return Ok(Expand::All);
        }
        let odd = || Refusal::bad(format!("$expand={expand} is not served: only fields and fields($select=…)"));
        let inner = expand.strip_prefix("fields(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(odd)?;
        let (key, names) = inner.split_once('=').ok_or_else(odd)?;
        if !matches!(key.trim(), "$select" | "select") || names.contains(['(', ';']) {
            return Err(odd());
        }
        Ok(Expand::Named(names.split(',').map(|name| name.trim().to_owned()).collect()))
    }

    /// Leaves what `$select` names, of properties that there are.
    pub fn selected(&self, mut whole: Value, kind: &str, properties: &[&str]) -> Result<Value, Refusal> {
        let Some(select) = &self.select else { return Ok(whole) };
        if let Some(odd) = select.iter().find(|name| !properties.contains(&name.as_str()) && *name != "*") {
            let message = format!("Could not find a property named '{odd}' on type 'microsoft.graph.{kind}'");
            return Err(Refusal::bad(message));
        }
        if let (Some(object), false) = (whole.as_object_mut(), select.iter().any(|name| name == "*")) {
            let is_expanded = |key: &str| self.expand.as_deref().is_some_and(|expand| expand.starts_with(key));
            object.retain(|key, _| key.starts_with('@') || select.iter().any(|name| name == key) || is_expanded(key));
        }
        Ok(whole)
    }
}
