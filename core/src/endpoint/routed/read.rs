//! Reading several lists as one.

use async_trait::async_trait;

use super::{LIST, Part};
use crate::endpoint::{Page, Refused, RowStream, Scan};
use crate::error::Result;
use crate::identity::{RowBatch, encode};
use crate::model::Datum;

/// The rows of one list after the other.
pub(super) struct Chained {
    left: std::vec::IntoIter<Part>,
    scan: Scan,
    now: Option<(Part, Box<dyn RowStream>)>,
}

impl Chained {
    pub(super) fn new(parts: Vec<Part>, scan: Scan) -> Self {
        Self { left: parts.into_iter(), scan, now: None }
    }
}

#[async_trait]
impl RowStream for Chained {
    async fn next(&mut self) -> Result<Option<Page>> {
        loop {
            if let Some((part, rows)) = &mut self.now {
                if let Some(page) = rows.next().await? {
                    let mut listed = Page { rows: RowBatch::new(self.scan.columns.len()), refused: Vec::new() };
                    listed_in(part, &self.scan.columns, page, &mut listed)?;
                    return Ok(Some(listed));
                }
                self.now = None;
            }
            let Some(part) = self.left.next() else { return Ok(None) };
            let scan = Scan { table: part.table.clone(), columns: others(&self.scan.columns), ..self.scan.clone() };
            let rows = part.endpoint.scan(scan).await?;
            self.now = Some((part, rows));
        }
    }
}

/// Rows of one list by these keys, behind those that were found before.
pub(super) async fn fetch(
    part: &Part,
    columns: &[String],
    key: &[String],
    keys: &RowBatch,
    found: &mut Page,
) -> Result<()> {
    let page = part.endpoint.fetch(&part.table, &others(columns), key, keys).await?;
    listed_in(part, columns, page, found)
}

fn others(columns: &[String]) -> Vec<String> {
    columns.iter().filter(|column| *column != LIST).cloned().collect()
}

/// Rows with the list that they lie in where it was asked for.
fn listed_in(part: &Part, columns: &[String], page: Page, into: &mut Page) -> Result<()> {
    let list = encode(&Datum::Text(part.list.clone()));
    for row in page.rows.iter() {
        let mut at = 0;
        let mut listed = Vec::new();
        for column in columns {
            if column == LIST {
                listed.extend_from_slice(&list);
            } else {
                listed.extend_from_slice(row.value(at));
                at += 1;
            }
        }
        into.rows.push_encoded(&listed)?;
    }
    into.refused.extend(page.refused.into_iter().map(|Refused { mut known, error }| {
        known.push((LIST.to_owned(), Datum::Text(part.list.clone())));
        Refused { known, error }
    }));
    Ok(())
}
