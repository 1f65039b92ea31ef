//! Who serves a SQLite file: one process, by a lock that the kernel takes back however that one ends.
//!
//! The lock is on a file of its own beside the database. SQLite's locks are of POSIX's kind, which a process loses as soon
//! as it closes any handle of the same file, so nobody else may open the database itself. The file stays when the lock is
//! gone: whoever removes it lets two processes lock two files. Commands beside the service do not take it, for they ask
//! the database one thing and leave.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::store::db::Db;
use crate::store::{Store, StoreError};

/// What is added to the database's name.
const SUFFIX: &str = ".lock";

/// That no other process serves the same SQLite file, for as long as this is kept.
#[derive(Debug)]
#[must_use = "the lock ends with it"]
pub struct ServingLock {
    /// Nothing on PostgreSQL, which any number may share, and where the file system knows no locks.
    _file: Option<File>,
}

impl Store {
    /// Makes sure that no other process serves the same SQLite file, until what is given is dropped or the process ends.
    ///
    /// # Errors
    ///
    /// [`StoreError::Served`] where another does; [`StoreError::BadUrl`] where the file of the lock cannot be made.
    pub fn lock_for_serving(&self) -> Result<ServingLock, StoreError> {
        let Db::Sqlite(pool) = self.db() else { return Ok(ServingLock { _file: None }) };
        let options = pool.connect_options();
        lock(options.get_filename()).map(|file| ServingLock { _file: file })
    }
}

fn lock(database: &Path) -> Result<Option<File>, StoreError> {
    let unusable = |path: &Path, fault: &io::Error| StoreError::BadUrl {
        what: format!("{} cannot be locked: {fault}", path.display()),
    };
    // By one name, whatever links lead there.
    let database = fs::canonicalize(database).map_err(|fault| unusable(database, &fault))?;
    let path = beside(&database);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|fault| unusable(&path, &fault))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Served { path: database }),
        Err(TryLockError::Error(fault)) if fault.kind() == io::ErrorKind::Unsupported => {
            warn!("{} cannot be locked here; see to it that one process serves the database", path.display());
            Ok(None)
        }
        Err(TryLockError::Error(fault)) => Err(unusable(&path, &fault)),
    }
}

/// The file of the lock.
fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let (database, link) = (folder.path().join("a.db"), folder.path().join("link.db"));
        File::create(&database).unwrap();
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let first = lock(&database).unwrap();
        assert!(first.is_some());
        for name in [&database, &link] {
            let refused = lock(name).unwrap_err();
            assert!(matches!(refused, StoreError::Served { .. }), "{refused:?}");
        }
        drop(first);
        assert!(lock(&link).unwrap().is_some(), "the file that is left is no lock");
        assert!(matches!(lock(&folder.path().join("none.db")), Err(StoreError::BadUrl { .. })));
    }
}
