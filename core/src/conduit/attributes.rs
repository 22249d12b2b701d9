//! Attributes: what one side changed is set on the other. Where each gets one from the other, that is one decision in
//! two halves.

use super::apply::Apply;
use super::outcome::{Done, Outcome};
use super::record::Closing;
use crate::delta::{Action, Change, Expect};
use crate::error::{Code, Error, Result};
use crate::model::{Node, Side};
use crate::operation::plan::Planned;

impl Apply {
    pub(super) async fn set_metadata(&mut self, page: Vec<Planned>) -> Result<()> {
        let last = page.last().map(|planned| planned.change.pair);
        let mut outcomes = Vec::new();
        let ready = self.ready(page, &mut outcomes);
        for side in Side::BOTH {
            let (items, requests): (Vec<_>, Vec<_>) = ready
                .iter()
                .filter_map(|p| match p.change.action {
                    Action::SetMetadata { on, metadata } if on == side => {
                        let request = (p.change.path_on(side).clone(), p.change.expect[side].clone(), metadata);
                        Some((p.clone(), request))
                    }
                    _ => None,
                })
                .unzip();
            if items.is_empty() {
                continue;
            }
            let results = self.scene.sides[side].set_metadata(requests).await;
            for (planned, node) in items.into_iter().zip(results) {
                let result = match node {
                    Ok(node) => self.is_set(&planned.change, side, node).await?,
                    Err(error) => Err(error),
                };
                outcomes.push(Outcome { planned, result });
            }
        }
        // The second half of a decision may be the first of the next page.
        self.attributes.retain(|pair, _| Some(*pair) == last);
        self.flush(&outcomes).await?;
        self.commit(Closing::default(), outcomes).await
    }

    /// What is agreed on once that side is as this shows. The outer error is one of looking at the other side.
    async fn is_set(&mut self, change: &Change, side: Side, node: Node) -> Result<Result<Done>> {
        let mut done = Done::default();
        done.now[side] = Some(node.clone());
        if change.expect[side.other()] != Expect::Any {
            self.attributes.insert(change.pair, node);
            return Ok(Ok(done));
        }
        // The first half has changed the other side. What is there now is agreed on only if nobody else has changed it
        // since.
        let now = self.look(side.other(), change).await?;
        if now.is_none() || now.as_ref() != self.attributes.get(&change.pair) {
            let error = Error::new(Code::Stale, "set the attributes of", &change.path);
            return Ok(Err(error.because("the other side is not as the first half of this left it")));
        }
        done.now[side.other()] = now;
        Ok(Ok(done))
    }

    async fn look(&self, side: Side, change: &Change) -> Result<Option<Node>> {
        let seen = self.scene.sides[side].stat(vec![change.path_on(side).clone()]).await.pop();
        Ok(seen.transpose()?.flatten())
    }
}
