//! The live schema of both engines beside that of the specifications.
//!
//! `spec/*.csv` is written from the pages of the specifications, not from the migrations: one line per column
//! (`table,column,class,null,default,key`), one per index in `*-indexes.csv` (`table,index,unique,columns,where`). A line
//! that differs on purpose says why in a last column, `deviation`: then its differences are excused, except that a column
//! must be there.
//!
//! - `class`: `id`, `integer`, `number`, `flag`, `text`, `json`, `bytes`, `time`.
//! - `null`: `yes`, `no`, or `?` where the page says nothing.
//! - `default`: as [`live`] writes it (`now`, `now+1h`, `true`, `{}`, `active`); empty where the page says nothing; `none`
//!   where it says that there is none (`'none'` is the text); `uuid` is met by no default, because the book gives ids.
//! - `key`, several separated by `;`: `pk`, `unique`, `fk parent.column` and optionally `cascade`, `set_null` or `restrict`.
//! - `columns` of an index are separated by blanks; `DESC` belongs to the column before it, or is `:desc` behind it. An index
//!   or key may have the tenant in front, which the pages do not write, because uniqueness is per tenant. An index without
//!   a name may have any.

mod lines;
mod live;

use std::sync::Arc;

use self::lines::{ColumnLine, IndexLine, Lines};
use self::live::{Index, Live, LiveTable, condition, default};
use crate::fixture::Book;

pub(crate) async fn the_live_schema_is_that_of_the_pages(book: Arc<Book>) {
    let lines = Lines::of_all_pages();
    assert!(lines.columns.len() > 250 && lines.indexes.len() > 30, "the pages are there");
    let found = differences(&lines, &Live::of(&book).await);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// Everything in which the lines and the live schema differ.
fn differences(lines: &Lines, live: &Live) -> Vec<String> {
    let columns = lines.columns.iter().flat_map(|line| of_column(line, live));
    columns.chain(lines.indexes.iter().flat_map(|line| of_index(line, live))).collect()
}

fn of_column(line: &ColumnLine, live: &Live) -> Vec<String> {
    let place = format!("{}: {}.{}", line.at, line.table, line.column);
    let Some(table) = live.tables.get(&line.table) else { return vec![format!("{place}: there is no such table")] };
    let Some(column) = table.columns.get(&line.column) else {
        return vec![format!("{place}: there is no such column")];
    };
    let mut found = Vec::new();
    if !column.classes.contains(&line.class.as_str()) {
        found.push(format!("{place}: class {} wanted, {} found", line.class, column.classes.join(" or ")));
    }
    match line.null.as_str() {
        "?" => {}
        "yes" | "no" if (line.null == "yes") == column.is_nullable => {}
        "yes" | "no" => found.push(format!("{place}: null {} wanted, the other found", line.null)),
        other => found.push(format!("{place}: {other:?} is none of yes, no and ?")),
    }
    let default_found = column.default.as_deref();
    let is_default = match line.default.as_str() {
        "" => true,
        "uuid" => matches!(default_found, None | Some("gen_random_uuid()")),
        "none" => default_found.is_none(),
        wanted => default_found.is_some_and(|d| is_same_value(d, &default(wanted.trim_matches('\''), false))),
    };
    if !is_default {
        found.push(format!("{place}: default {} wanted, {} found", line.default, default_found.unwrap_or("none")));
    }
    let keys = line.key.split(';').map(str::trim).filter(|key| !key.is_empty());
    found.extend(keys.filter_map(|key| of_key(key, line, table)).map(|wrong| format!("{place}: {wrong}")));
    unless_excused(found, &place, line.deviation.as_deref())
}

/// What is wrong with a key of a column.
fn of_key(key: &str, line: &ColumnLine, table: &LiveTable) -> Option<String> {
    let column = &line.column;
    let is_alone = |index: &Index| {
        index.is_unique
            && table.without_tenant(&index.columns, &[column.as_str()]) == [column.as_str()]
            && (index.condition.is_empty() || index.condition == format!("{column} is not null"))
    };
    let words: Vec<&str> = key.split_whitespace().map(|word| word.trim_matches(['[', ']'])).collect();
    match words[..] {
        ["pk"] => {
            let is_key = table.columns[column].is_of_key
                || !table.columns[column].is_nullable && table.indexes.iter().any(is_alone);
            (!is_key).then(|| "it is not the key".to_owned())
        }
        ["unique"] => (!table.indexes.iter().any(is_alone)).then(|| "it is not unique".to_owned()),
        ["fk", parent, ref rule @ ..] if rule.len() < 2 => {
            let (parent, to) = parent.split_once('.').unwrap_or((parent, "id"));
            let of_column: Vec<_> = table.references.iter().filter(|r| r.is_of(column)).collect();
            let Some(reference) = of_column.iter().find(|r| r.parent == parent && r.names(column, to)) else {
                let others: Vec<_> = of_column.iter().map(|r| r.parent.as_str()).collect();
                return Some(format!("it refers to {}, not to {parent}.{to}", others.join(", ")));
            };
            let rule_found = table.rule_of(reference, column);
            match rule {
                [rule] if *rule != rule_found => Some(format!("{rule} wanted, {rule_found} found")),
                _ => None,
            }
        }
        _ => Some(format!("{key:?} is no key")),
    }
}

fn of_index(line: &IndexLine, live: &Live) -> Vec<String> {
    let wanted: Vec<String> = lines::index_columns(&line.columns);
    let place = format!("{}: {} ({})", line.at, line.table, line.columns);
    let Some(table) = live.tables.get(&line.table) else { return vec![format!("{place}: there is no such table")] };
    let is_unique = match line.unique.as_str() {
        "yes" | "true" => true,
        "no" | "false" => false,
        other => return vec![format!("{place}: {other:?} is neither yes nor no")],
    };
    let of_one = |index: &Index| {
        let mut wrong = Vec::new();
        let columns = table.without_tenant(&index.columns, &wanted);
        if columns != wanted {
            wrong.push(format!("columns {} found", index.columns.join(" ")));
        }
        if index.is_unique != is_unique {
            wrong.push(format!("unique {} wanted, the other found", line.unique));
        }
        if index.condition != condition(&line.condition) {
            wrong.push(format!("where {:?} wanted, {:?} found", line.condition, index.condition));
        }
        wrong
    };
    let wrong = if line.index.is_empty() {
        let is_there = table.indexes.iter().any(|index| of_one(index).is_empty());
        if is_there { vec![] } else { vec!["no index has these columns, uniqueness and condition".to_owned()] }
    } else {
        match table.indexes.iter().find(|index| index.name == line.index) {
            Some(index) => of_one(index),
            None => vec!["there is no such index".to_owned()],
        }
    };
    let found = wrong.into_iter().map(|wrong| format!("{place} {}: {wrong}", line.index)).collect();
    unless_excused(found, &place, line.deviation.as_deref())
}

/// A deviation excuses, when it says why.
fn unless_excused(found: Vec<String>, place: &str, deviation: Option<&str>) -> Vec<String> {
    match deviation {
        None => found,
        Some(why) if why.trim().is_empty() => vec![format!("{place}: a deviation without a reason")],
        Some(_) => vec![],
    }
}

fn is_same_value(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

pub(crate) async fn every_difference_from_a_page_is_found(book: Arc<Book>) {
    let live = Live::of(&book).await;
    let columns = |rows: &[&str]| {
        let text = format!("table,column,class,null,default,key,deviation\n{}\n", rows.join("\n"));
        differences(&Lines { columns: lines::columns("t", &text), indexes: vec![] }, &live)
    };
    let indexes = |rows: &[&str]| {
        let text = format!("table,index,unique,columns,where,deviation\n{}\n", rows.join("\n"));
        differences(&Lines { columns: vec![], indexes: lines::indexes("t", &text) }, &live)
    };
    let good = [
        "databases,status,text,no,ACTIVE,",
        "databases,application_id,id,no,none,fk applications.id restrict",
        "sync_preview_cache,id,id,no,uuid,pk",
        "sync_preview_cache,expires_at,time,no,now+1h,",
        "sync_preview_cache,computed_by,id,yes,,fk users.id [set_null]",
        "sync_preview_cache,cache_key,text,yes,,unique",
        "sync_preview_cache,delta_json,json,no,{},",
        "sync_conduit,enabled,flag,no,true,",
        "sync_conduit,parallel_transfers,integer,no,3,",
        "sync_progress,speed_items_per_min,number,yes,none,",
        "database_instances,db_password,bytes,?,,",
    ];
    assert_eq!(columns(&good), Vec::<String>::new());
    let bad = [
        "no_such_table,id,id,no,,",
        "databases,no_such_column,text,no,,",
        "databases,status,json,no,,",
        "databases,status,text,yes,,",
        "databases,status,text,maybe,,",
        "databases,status,text,no,DISABLED,",
        "databases,status,text,no,none,",
        "databases,status,text,no,,pk",
        "databases,status,text,no,,unique",
        "databases,status,text,no,,fk applications.id",
        "databases,status,text,no,,key",
        "databases,application_id,id,no,,fk sync_runs.id",
        "databases,application_id,id,no,,fk applications.name",
        "databases,application_id,id,no,,fk applications.id cascade",
        "sync_preview_cache,computed_by,id,yes,,fk users.id restrict",
        "sync_conduit,enabled,text,no,,",
        "sync_conduit,enabled,flag,no,false,",
        "sync_progress,speed_items_per_min,integer,yes,,",
    ];
    for line in bad {
        assert_eq!(columns(&[line]).len(), 1, "{line}: {:?}", columns(&[line]));
    }
    assert_eq!(columns(&bad).len(), bad.len(), "all of them at once");
    assert_eq!(columns(&["databases,status,json,yes,,pk"]).len(), 3, "all of one line, too");
    assert!(columns(&["databases,status,json,yes,,pk,it is so decided"]).is_empty());
    assert_eq!(columns(&["databases,status,text,no,,,  "]).len(), 1, "a deviation gives its reason");
    assert_eq!(columns(&["databases,gone,text,no,,,it is so decided"]).len(), 1, "a column has to be there");
    let good = [
        "databases,,yes,application_id database_name environment,",
        "sync_progress,idx_sync_progress_active,no,org_id updated_at DESC,completed_at IS NULL",
        "sync_metrics,,yes,sync_def_id source_instance_id target_list_id,",
    ];
    assert_eq!(indexes(&good), Vec::<String>::new());
    let bad = [
        "no_such_table,,yes,id,",
        "databases,,no,application_id database_name environment,",
        "databases,,yes,application_id environment database_name,",
        "databases,,yes,application_id database_name environment,status = 'ACTIVE'",
        "databases,idx_no_such,yes,application_id database_name environment,",
        "sync_progress,idx_sync_progress_active,yes,org_id updated_at DESC,completed_at IS NULL",
        "sync_progress,idx_sync_progress_active,no,org_id updated_at,completed_at IS NULL",
        "sync_progress,idx_sync_progress_active,no,org_id updated_at DESC,",
        "sync_progress,idx_sync_progress_active,often,org_id updated_at DESC,completed_at IS NULL",
    ];
    for line in bad {
        assert_eq!(indexes(&[line]).len(), 1, "{line}: {:?}", indexes(&[line]));
    }
    assert_eq!(indexes(&bad).len(), bad.len(), "all of them at once");
    assert!(indexes(&["databases,idx_no_such,yes,name,,it is so decided"]).is_empty());
}
