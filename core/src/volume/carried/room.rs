//! Room for a batch that is to be carried: promised before a byte moves, renewed while the batch is under way, given back
//! in the transaction that records it. Where there is not room for all of it, the files that do not fit are refused, each
//! with the limit that it meets, and the others go on.

use std::sync::Arc;
use std::time::Duration;

use super::super::quota::{Promised, Task, Wanted};
use super::super::standing::{Holder, Standing};
use super::super::{FileId, Inner, new_id};
use super::End;
use crate::error::{Code, Error, Result};
use crate::model::{RelPath, UserId, VersioningMode};
use crate::store::Write;

/// How often it is tried anew when others take room meanwhile.
const ATTEMPTS: u32 = 20;

/// A file that is to be carried to a volume.
pub(crate) struct Coming {
    /// Beneath the place.
    pub(crate) path: RelPath,
    pub(crate) bytes: u64,
}

/// Room that is promised. It is renewed until this is dropped, and gone when nobody renews it.
pub(crate) struct Room {
    inner: Arc<Inner>,
    promised: Arc<[Promised]>,
    renewing: tokio::task::JoinHandle<()>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Room {
    fn of(inner: Arc<Inner>, promised: Vec<Promised>) -> Self {
        let promised: Arc<[Promised]> = promised.into();
        let (volume, held) = (inner.clone(), promised.clone());
        let renewing = tokio::spawn(async move {
            while !held.is_empty() {
                tokio::time::sleep((volume.promise / 3).max(Duration::from_millis(1))).await;
                for held in held.iter() {
                    // One that was lost is noticed before anything is published.
                    let _ = volume.renew(held, Vec::new()).await;
                }
            }
        });
        Self { inner, promised, renewing }
    }

    /// Renews it, right before what it is for is published.
    ///
    /// # Errors
    /// `busy` when it was not renewed in time: the room may be another's by now.
    pub(crate) async fn hold(&self) -> Result<()> {
        for held in self.promised.iter() {
            self.inner.renew(held, Vec::new()).await.map_err(|e| match e.code() {
                Code::Conflict => Error::new(Code::Busy, "store the files on", self.inner.row.row.name.escape_debug())
                    .because("the promise of room ran out before they were there"),
                _ => e,
            })?;
        }
        Ok(())
    }

    /// The parts of a batch with which it ends.
    pub(crate) fn ending(&self) -> Vec<Write> {
        self.promised.iter().map(|held| Write::Execute(self.inner.ending(held))).collect()
    }

    /// Gives it back when nothing came of it. What cannot be given back expires.
    pub(crate) async fn give_back(self) {
        for held in self.promised.iter() {
            let _ = self.inner.release(held, Vec::new()).await;
        }
    }
}

/// What a file takes of the room of those that it counts against.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    /// Which of the files it is.
    file: usize,
    bytes: i64,
    user: Option<UserId>,
    app: Option<String>,
}

impl End {
    /// Has room for these files promised; answers with the refusals of those that do not fit.
    ///
    /// # Errors
    /// `not_found` when the volume is gone, `invalid` when it is not active; `busy`; `storage`.
    pub(crate) async fn promise(&self, coming: &[Coming]) -> Result<(Room, Vec<Option<Error>>)> {
        let mut refused = vec![None; coming.len()];
        let mut needs = self.needs(coming).await?;
        for _ in 0..ATTEMPTS {
            let sums = sums(&needs);
            if sums.is_empty() {
                return Ok((Room::of(self.inner.clone(), Vec::new()), refused));
            }
            match self.reserve(&sums).await {
                Ok(promised) => return Ok((Room::of(self.inner.clone(), promised), refused)),
                Err(e) if e.code() == Code::Conflict => {}
                Err(e) => return Err(e),
            }
            let mut holders = vec![Holder::Volume];
            holders.extend(sums.iter().flat_map(|need| Holder::of(need.user, need.app.as_ref()).into_iter().skip(1)));
            let ask = self.inner.ask_standings(&holders, self.inner.now());
            let answers = self.inner.book.store.query_many(self.inner.tenant, ask).await?;
            let standings = self.inner.standings(&holders, &answers)?;
            for (file, error) in fit(&mut needs, standings, &self.inner.row.row.name) {
                refused[file] = Some(error);
            }
        }
        Err(Error::new(Code::Busy, "store the files on", self.inner.row.row.name.escape_debug())
            .because("others take its room at the same time"))
    }

    async fn reserve(&self, sums: &[Need]) -> Result<Vec<Promised>> {
        let ids: Vec<(FileId, String)> = sums.iter().map(|_| new_id()).map(|id| (id, id.to_string())).collect();
        let wanted = sums.iter().zip(&ids).map(|(need, (id, address))| Wanted {
            id: *id,
            task: Task::Carry,
            // Of no path: the conduit's lease keeps others away.
            address,
            bytes: need.bytes,
            user: need.user,
            app: need.app.clone(),
            with: Vec::new(),
        });
        self.inner.reserve_all(&wanted.collect::<Vec<_>>()).await
    }

    /// What each file takes more than the one in whose place it comes, which its owner has.
    async fn needs(&self, coming: &[Coming]) -> Result<Vec<Need>> {
        let paths: Vec<Option<String>> = coming.iter().map(|coming| self.address(&coming.path)).collect();
        let held: Vec<String> = paths.iter().flatten().cloned().collect();
        let old = self.inner.files_at(&held).await?;
        let keeps = self.inner.row.row.versioning_mode != VersioningMode::None;
        let need = |(file, (coming, path)): (usize, (&Coming, Option<String>))| {
            // What no row can name does not count.
            let old = old.get(&path?).map(|old| &old.row);
            let given_back = old.filter(|_| !keeps).map_or(0, |old| old.size);
            let bytes = i64::try_from(coming.bytes).unwrap_or(i64::MAX).saturating_sub(given_back);
            let (user, app) = old.map_or((Some(self.inner.user), None), |old| (old.user_id, old.app_id.clone()));
            (bytes > 0).then_some(Need { file, bytes, user, app })
        };
        Ok(coming.iter().zip(paths).enumerate().filter_map(need).collect())
    }
}

/// One promise for each owner.
fn sums(needs: &[Need]) -> Vec<Need> {
    let mut sums: Vec<Need> = Vec::new();
    for need in needs {
        match sums.iter_mut().find(|sum| sum.user == need.user && sum.app == need.app) {
            Some(sum) => sum.bytes = sum.bytes.saturating_add(need.bytes),
            None => sums.push(need.clone()),
        }
    }
    sums
}

/// Leaves the files that fit one after the other, in their order; answers the refusals of the others.
fn fit(needs: &mut Vec<Need>, mut standings: Vec<Standing>, volume: &str) -> Vec<(usize, Error)> {
    let mut refused = Vec::new();
    needs.retain(|need| {
        let holders = Holder::of(need.user, need.app.as_ref());
        let refusal =
            standings.iter().filter(|s| holders.contains(&s.holder)).find_map(|s| s.refusal(need.bytes, volume));
        match refusal {
            Some(error) => refused.push((need.file, error)),
            None => {
                let concerned = standings.iter_mut().filter(|s| holders.contains(&s.holder));
                concerned.for_each(|s| s.promised = s.promised.saturating_add(need.bytes));
                return true;
            }
        }
        false
    });
    refused
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(n: u128) -> UserId {
        UserId::new(Uuid::from_u128(n))
    }

    fn need(file: usize, bytes: i64, of: u128) -> Need {
        Need { file, bytes, user: Some(user(of)), app: None }
    }

    fn standing(holder: Holder, limit: i64, used: i64, promised: i64) -> Standing {
        Standing { holder, limit: Some(limit), used, promised }
    }

    #[test]
    fn what_fits_goes_on_and_the_others_name_their_limit() {
        let mut needs = vec![need(0, 60, 1), need(1, 50, 1), need(2, 30, 2), need(3, 10, 1), need(4, 1, 1)];
        let standings = vec![
            standing(Holder::Volume, 200, 80, 20),
            standing(Holder::User(user(1)), 1000, 0, 0),
            standing(Holder::User(user(2)), 20, 0, 0),
        ];
        let refused = fit(&mut needs, standings, "shelf");
        assert_eq!(needs, [need(0, 60, 1), need(3, 10, 1), need(4, 1, 1)]);
        let words: Vec<_> = refused.iter().map(|(file, error)| (*file, error.code(), error.to_string())).collect();
        assert_eq!(words.len(), 2);
        assert_eq!((words[0].0, words[0].1, words[1].0), (1, Code::Quota, 2));
        assert!(words[0].2.ends_with("the volume may hold 200, holds 80 and is to get 80 more"), "{}", words[0].2);
        assert!(words[1].2.ends_with("the user may hold 20, holds 0 and is to get 0 more"), "{}", words[1].2);
    }

    #[test]
    fn each_owner_gets_one_promise() {
        assert_eq!(sums(&[need(0, 1, 1), need(1, 2, 2), need(2, 3, 1)]), [need(0, 4, 1), need(1, 2, 2)]);
    }
}
