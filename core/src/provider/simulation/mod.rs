//! Disks that fail, for tests of this crate and of its hosts (feature `simulation`).
//!
//! [`ModelDisk`] is a disk in memory that knows what is durable, so that a power loss can be tried at any point:
//! [`ModelDisk::crash`] gives the disk as it may look afterwards. [`FaultDisk`] stands before any disk and lets calls
//! fail. Both go beneath [`Local`](super::local::Local) in the place of the operating system.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use std::{path::Path, sync::Arc};
//! use portbook::model::RelPath;
//! use portbook::provider::{Provider, local::Local, simulation::{FaultDisk, ModelDisk}};
//!
//! let disk = FaultDisk::new(ModelDisk::default());
//! let place = Local::open_on(Arc::new(disk.clone()), Path::new("/")).unwrap();
//! let dir = || vec![(RelPath::parse(b"dir").unwrap(), Default::default())];
//! disk.switch().crash_at(disk.switch().effects() + 1);
//! assert!(place.make_dirs(dir()).await[0].is_err());
//! # });
//! ```

mod calls;
mod crash;
mod fault;
mod model;
mod switch;

pub use fault::{Call, Fault, FaultDisk, Op};
pub use model::{ModelDir, ModelDisk, ModelFile, ModelLock, ModelOptions};
pub use switch::{Crashed, Switch};
