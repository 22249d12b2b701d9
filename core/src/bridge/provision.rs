//! A target that is not there yet, made like the source.

use std::sync::Arc;

use super::fields::RecordField;
use super::options::RecordOptions;
use super::place::RecordPlace;
use crate::endpoint::{ColumnShape, Endpoint, NewColumn, NewTable, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::{DatumKind, FieldDirection, Sides};

/// Columns of a key that get an index: a list has room for twenty, and the marker needs one.
const INDEXED: usize = 19;

/// Makes the target for rows of the source; what it looks like, and the fields with the names that their columns have got.
///
/// # Errors
/// `invalid` for a field of a column that is not there, or a time without a zone for a site of which none is told;
/// `unsupported` for a type that the target has no equal of.
pub(super) async fn like(
    place: &RecordPlace,
    endpoints: &Sides<Arc<dyn Endpoint>>,
    source: &TableShape,
    options: &RecordOptions,
) -> Result<(TableShape, Vec<RecordField>)> {
    let key = if options.key.is_empty() { source.primary_key() } else { options.key.as_slice() };
    let mut fields = match options.fields.is_empty() {
        true => every_column(&*endpoints.left, source, key),
        false => options.fields.clone(),
    };
    let mut columns = Vec::with_capacity(fields.len());
    for field in &fields {
        let like = source.column(&field.source).ok_or_else(|| {
            let why = format!("there is no column {}", field.source.escape_debug());
            Error::new(Code::Invalid, "make a table like", &source.name).because(why)
        })?;
        columns.push(column(field, like, key));
    }
    if let RecordPlace::List { site, .. } = place
        && site.zone.is_none()
        && let Some(wall) = columns.iter().find(|column| column.like.kind == Some(DatumKind::Timestamp))
    {
        return Err(Error::new(Code::Invalid, "make a list like", &source.name)
            .because(format!("the times of {} have no zone, and those of lists do", wall.like.name.escape_debug()))
            .advise("name the zone that they are meant in (zone=Europe/Berlin), or leave the column out"));
    }
    let of_key = |name: &&String| fields.iter().find(|field| field.source == **name);
    let table = NewTable {
        name: place.table().clone(),
        description: format!("Kept in step with {} by Portbook", source.name),
        key: key.iter().filter_map(|name| of_key(&name)).map(|field| field.target.clone()).collect(),
        columns,
    };
    let shape = endpoints.right.create(table).await?;
    for (field, made) in fields.iter_mut().zip(&shape.columns) {
        field.target.clone_from(&made.name);
    }
    Ok((shape, fields))
}

/// Every column that rows hold themselves, or that belongs to the key. What a database computes is a value like others; what
/// a list adds to its items is not.
fn every_column(endpoint: &dyn Endpoint, source: &TableShape, key: &[String]) -> Vec<RecordField> {
    let capabilities = endpoint.capabilities();
    let is_carried = |column: &&ColumnShape| {
        let is_marker = capabilities.marker_column() == Some(column.name.as_str());
        let is_own = is_marker || (column.is_computed && capabilities.assigns_keys);
        column.kind.is_some() && (!is_own || key.contains(&column.name))
    };
    let field = |column: &ColumnShape| RecordField {
        source: column.name.clone(),
        target: column.name.clone(),
        direction: match column.is_computed && !key.contains(&column.name) {
            true => FieldDirection::PushOnly,
            false => FieldDirection::Bidirectional,
        },
        transform: None,
    };
    source.columns.iter().filter(is_carried).map(field).collect()
}

fn column(field: &RecordField, like: &ColumnShape, key: &[String]) -> NewColumn {
    let of_key = key.iter().position(|name| *name == field.source);
    let mut like = ColumnShape {
        name: field.source.clone(),
        default_value: None,
        is_identity: false,
        is_computed: false,
        ..like.clone()
    };
    if field.transform.is_some() {
        // Whatever it makes can be said as a text.
        (like.kind, like.max_length) = (Some(DatumKind::Text), None);
        like.traits.choices.clear();
    }
    NewColumn {
        name: field.target.clone(),
        display_name: field.target.clone(),
        like,
        is_indexed: of_key.is_some_and(|at| at < INDEXED),
        is_unique: false,
        is_hidden: false,
    }
}
