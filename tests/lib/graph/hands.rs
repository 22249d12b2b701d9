//! What a test does to the server's contents without asking it: it looks, and it acts as other people do.

use serde_json::{Map, Value};

use super::Shared;
use super::options::Rules;
use super::world::{Counters, Fields, List, World};
use super::write;

/// Somebody who is not the application.
pub const SOMEBODY: u64 = 7;

/// An item as the server keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub id: u64,
    pub version: u64,
    pub etag: String,
    /// Who changed it last: [`SOMEBODY`], or the application.
    pub editor: u64,
    pub fields: Fields,
}

impl Shared {
    /// Changes how the server behaves from now on.
    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.world().rules);
    }

    pub fn counters(&self) -> Counters {
        self.world().counters.clone()
    }

    /// Resource units of all applications, in the busiest minute.
    pub fn most_units_in_a_minute(&self) -> u64 {
        let world = self.world();
        world.meters.values().flat_map(|meter| meter.minutes.values().copied()).max().unwrap_or(0)
    }

    pub fn units(&self) -> u64 {
        self.world().meters.values().flat_map(|meter| meter.minutes.values()).sum()
    }

    /// The id of the list with this title.
    pub fn list_id(&self, title: &str) -> Option<String> {
        Some(self.world().titled(title)?.id.clone())
    }

    /// Its columns, in the words of the API.
    pub fn columns(&self, title: &str) -> Vec<Value> {
        let world = self.world();
        world.titled(title).into_iter().flat_map(|list| list.columns.iter().map(super::column::Column::show)).collect()
    }

    /// Its items in order of their ids; none when there is no such list.
    pub fn items(&self, title: &str) -> Vec<Seen> {
        let world = self.world();
        let items = world.titled(title).into_iter().flat_map(|list| &list.items);
        let seen = items.map(|(id, item)| Seen {
            id: *id,
            version: item.version,
            etag: item.etag(),
            editor: item.editor,
            fields: item.fields.clone(),
        });
        seen.collect()
    }

    /// Somebody makes an item.
    pub fn add_item(&self, title: &str, fields: &Value) -> u64 {
        self.act(title, |world, at, now_ms| write::add(world, at, &object(fields), true, SOMEBODY, now_ms).unwrap())
    }

    /// Somebody changes an item.
    pub fn edit_item(&self, title: &str, id: u64, fields: &Value) {
        self.act(title, |world, at, now_ms| {
            write::edit(world, at, id, &object(fields), true, SOMEBODY, now_ms).unwrap()
        });
    }

    /// Somebody deletes an item.
    pub fn delete_item(&self, title: &str, id: u64) {
        self.act(title, |world, at, _| write::remove(world, at, id));
    }

    /// Somebody makes a list on the first site, with this column.
    pub fn add_list(&self, title: &str, column: &Value) {
        let now_ms = self.now_ms();
        let mut world = self.world();
        let mut list = world.empty_list(0, title, now_ms);
        let id = world.guid().to_string();
        list.columns.push(super::column::Column::create(&object(column), id, &list.columns).unwrap());
        world.lists.push(list);
    }

    /// Somebody deletes a column of the list.
    pub fn drop_column(&self, title: &str, name: &str) {
        self.act(title, |world, at, _| {
            let list = &mut world.lists[at];
            list.columns.retain(|column| column.name != name);
            list.unique.remove(name);
            list.items.values_mut().for_each(|item| drop(item.fields.remove(name)));
        });
    }

    /// Somebody deletes the list.
    pub fn delete_list(&self, title: &str) {
        self.act(title, |world, at, _| drop(world.lists.remove(at)));
    }

    /// No token of the list's change feed is honoured any more.
    pub fn forget_changes(&self, title: &str) {
        self.act(title, |world, at, _| world.lists[at].feed_epoch += 1);
    }

    /// The secret of an application is replaced; tokens stay good until they end.
    pub fn change_secret(&self, app: &str, secret: &str) {
        let mut world = self.world();
        world.apps.iter_mut().filter(|known| known.id == app).for_each(|known| secret.clone_into(&mut known.secret));
    }

    /// An application may sign with this certificate, in DER.
    pub fn trust_certificate(&self, app: &str, der: &[u8]) {
        let mut world = self.world();
        world.apps.iter_mut().filter(|known| known.id == app).for_each(|known| known.certificate = Some(der.to_vec()));
    }

    /// No token is good any more.
    pub fn forget_tokens(&self) {
        self.world().tokens.forget();
    }

    fn act<T>(&self, title: &str, act: impl FnOnce(&mut World, usize, i64) -> T) -> T {
        let now_ms = self.now_ms();
        let mut world = self.world();
        let is_it = |list: &List| list.title == title;
        let at = world.lists.iter().position(is_it).unwrap_or_else(|| panic!("there is no list {title}"));
        act(&mut world, at, now_ms)
    }
}

fn object(fields: &Value) -> Map<String, Value> {
    fields.as_object().unwrap().clone()
}
