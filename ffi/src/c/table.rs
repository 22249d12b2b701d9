//! Handles as C sees them: pointers that point nowhere. Each is a number that is given out once and looked up here, so that a
//! handle that is null, freed, of another type or of another process is an error and never undefined behaviour.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use portbook::{Code, Error};

use crate::error::Result;
use crate::{
    Book, BookCopy, Conduit, Definition, FileReader, HostKeys, HostRecords, HostStore, Preview, ProgressWatch, Run,
    Session, Volume,
};

/// What a handle stands for.
pub(super) enum Handle {
    Book(Arc<Book>),
    BookCopy(Arc<BookCopy>),
    HostKeys(Arc<HostKeys>),
    Session(Arc<Session>),
    Conduit(Arc<Conduit>),
    Definition(Arc<Definition>),
    Preview(Arc<Preview>),
    Run(Arc<Run>),
    ProgressWatch(Arc<ProgressWatch>),
    Volume(Arc<Volume>),
    FileReader(Arc<FileReader>),
    HostStore(Arc<HostStore>),
    HostRecords(Arc<HostRecords>),
}

/// A type that has handles.
pub(super) trait Handled: Sized {
    fn handle(this: Arc<Self>) -> Handle;
    fn of(handle: &Handle) -> Option<&Arc<Self>>;
}

macro_rules! handled {
    ($($name:ident)*) => {$(
        impl Handled for $name {
            fn handle(this: Arc<Self>) -> Handle {
                Handle::$name(this)
            }

            fn of(handle: &Handle) -> Option<&Arc<Self>> {
                if let Handle::$name(this) = handle { Some(this) } else { None }
            }
        }
    )*};
}

handled! {
    Book BookCopy HostKeys Session Conduit Definition Preview Run ProgressWatch Volume FileReader HostStore HostRecords
}

/// The handles of one process. A lock that another thread held during a fork stays locked in the child for ever: so the child
/// has a table of its own.
struct Table {
    process: u32,
    /// Handles up to this number were given out before the fork.
    inherited: usize,
    handles: RwLock<HashMap<usize, Handle>>,
    next: OnceLock<Box<Table>>,
}

static FIRST: OnceLock<Table> = OnceLock::new();

/// The handle that was given out last. Numbers are never used again, and odd, as no real pointer is.
static LAST: AtomicUsize = AtomicUsize::new(0x1001);

impl Table {
    fn begin() -> Self {
        let inherited = LAST.load(Ordering::SeqCst);
        Self { process: std::process::id(), inherited, handles: RwLock::default(), next: OnceLock::new() }
    }

    fn of_process() -> &'static Self {
        let mut table = FIRST.get_or_init(Self::begin);
        let process = std::process::id();
        while table.process != process {
            table = table.next.get_or_init(|| Box::new(Self::begin()));
        }
        table
    }
}

/// Gives out a handle.
pub(super) fn give<T: Handled>(this: Arc<T>) -> usize {
    let number = LAST.fetch_add(2, Ordering::SeqCst) + 2;
    let table = Table::of_process();
    table.handles.write().unwrap_or_else(PoisonError::into_inner).insert(number, T::handle(this));
    number
}

/// What a handle stands for.
///
/// # Errors
/// `invalid` when it is null, freed, of another type or of another process.
pub(super) fn find<T: Handled>(number: usize) -> Result<Arc<T>> {
    let wrong = |why: &str| Error::new(Code::Invalid, "use the handle", "").because(why);
    if number == 0 {
        return Err(wrong("it is null").into());
    }
    let table = Table::of_process();
    let handles = table.handles.read().unwrap_or_else(PoisonError::into_inner);
    let Some(handle) = handles.get(&number) else {
        let is_inherited = number <= table.inherited && FIRST.get().is_some_and(|first| first.process != table.process);
        return Err(match is_inherited {
            true => wrong("it was opened before a fork").advise("open the book again in this process"),
            false => wrong("it was freed, or is none"),
        }
        .into());
    };
    Ok(T::of(handle).ok_or_else(|| wrong("it is of another type"))?.clone())
}

/// Takes a handle back. One that is null, freed, of another type or of another process is left alone.
pub(super) fn free<T: Handled>(number: usize) {
    let handles = &Table::of_process().handles;
    let mut handles = handles.write().unwrap_or_else(PoisonError::into_inner);
    let freed = if handles.get(&number).and_then(T::of).is_some() { handles.remove(&number) } else { None };
    // What it stands for may take its time to go.
    drop(handles);
    drop(freed);
}
