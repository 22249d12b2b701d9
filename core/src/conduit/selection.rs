//! Selective mode: the rules and pins that choose what the target holds (`sync_selection_rule`, `sync_pin`).

use crate::error::{Code, Error, Result};
use crate::model::{self, RelPath};
use crate::operation::clock::micros;
use crate::store::{Insert, OnConflict, Record, Statement, Value, Write, select};

use super::ConduitInner;

/// A rule of selective mode. Rules are asked in their order and the first one that matches decides.
///
/// The pattern is read as those of [`Filters`](super::Filters) are. It matches a file by its own path or by that of a
/// directory above it, so that `photos` speaks for everything in `photos`. What no rule matches is chosen by the include
/// patterns, and without any by being there: a last rule `**` decides about the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionRule {
    /// The pattern.
    pub pattern: String,
    /// Whether the target holds what matches.
    pub is_included: bool,
}

/// A choice for one file, or for everything beneath one directory. The deepest pin decides, and outranks every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The file or directory; it need not exist.
    pub path: RelPath,
    /// Whether the target holds it.
    pub is_held: bool,
}

/// What chooses, beside the include patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) rules: Vec<SelectionRule>,
    pub(crate) pins: Vec<Pin>,
}

/// Rules and pins of the conduit.
pub(crate) async fn load(conduit: &ConduitInner) -> Result<Selection> {
    let key = || vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id)];
    let rules = select!(model::SelectionRule, "WHERE tenant_id = ?1 AND conduit_id = ?2 ORDER BY position");
    let pins = select!(model::Pin, "WHERE tenant_id = ?1 AND conduit_id = ?2 ORDER BY path");
    let ask = vec![Statement::new(rules, key()), Statement::new(pins, key())];
    let answers = conduit.book.store.query_many(conduit.tenant, ask).await?;
    let [rules, pins] = answers.as_slice() else {
        return Err(Error::new(Code::Internal, "read the selection", "").because("two questions have two answers"));
    };
    let rule = |row| model::SelectionRule::read(row);
    let rules = rules.iter().map(rule).collect::<Result<Vec<_>>>()?.into_iter();
    let pins = pins.iter().map(model::Pin::read).collect::<Result<Vec<_>>>()?.into_iter();
    Ok(Selection {
        rules: rules.map(|r| SelectionRule { pattern: r.pattern, is_included: r.is_included }).collect(),
        pins: pins.map(|p| Pin { path: p.path, is_held: p.is_held }).collect(),
    })
}

/// Puts these rules in the place of the ones before, in one transaction.
pub(crate) async fn set_rules(conduit: &ConduitInner, rules: &[SelectionRule]) -> Result<()> {
    super::filter::check_rules(rules)?;
    let mut batch = vec![Write::Execute(Statement::new(
        "DELETE FROM sync_selection_rule WHERE tenant_id = ?1 AND conduit_id = ?2",
        vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id)],
    ))];
    let mut values = Vec::new();
    for (position, rule) in (0..).zip(rules) {
        values.extend([
            Value::Uuid(conduit.tenant.0),
            Value::Int(conduit.id),
            Value::Int(position),
            Value::Text(rule.pattern.clone()),
            Value::Bool(rule.is_included),
        ]);
    }
    if !values.is_empty() {
        batch.push(Write::Insert(Insert::new(
            "sync_selection_rule",
            ["tenant_id", "conduit_id", "position", "pattern", "is_included"],
            values,
            OnConflict::Fail,
        )));
    }
    conduit.book.store.write(conduit.tenant, batch).await.map(|_| ())
}

/// Pins a path, or turns its pin round.
pub(crate) async fn pin(conduit: &ConduitInner, pin: &Pin) -> Result<()> {
    let write = Write::Insert(Insert::new(
        "sync_pin",
        ["tenant_id", "conduit_id", "path", "is_held", "created_at"],
        vec![
            Value::Uuid(conduit.tenant.0),
            Value::Int(conduit.id),
            Value::Blob(pin.path.as_bytes().to_vec()),
            Value::Bool(pin.is_held),
            Value::Time(micros(conduit.book.clock.now())),
        ],
        OnConflict::Replace { key: 3 },
    ));
    conduit.book.store.write(conduit.tenant, vec![write]).await.map(|_| ())
}

/// Takes a pin away.
pub(crate) async fn unpin(conduit: &ConduitInner, path: &RelPath) -> Result<()> {
    let delete = Statement::new(
        "DELETE FROM sync_pin WHERE tenant_id = ?1 AND conduit_id = ?2 AND path = ?3",
        vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id), Value::Blob(path.as_bytes().to_vec())],
    );
    conduit.book.store.write(conduit.tenant, vec![Write::Expect(delete, 1)]).await.map(|_| ()).map_err(|e| {
        if e.code() != Code::Conflict {
            return e;
        }
        Error::new(Code::NotFound, "take away the pin of", path).because("it has none")
    })
}
