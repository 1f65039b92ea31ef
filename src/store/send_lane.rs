//! The lane of sends on PostgreSQL: a thread and a connection of its own, and nothing else to do.
//!
//! PostgreSQL is asked up to four things in a row for a batch of sends, and all who wait for it wait for each answer. A
//! task among those of requests hears an answer only when those before it have been served, which took as long as all
//! that PostgreSQL did; a thread hears it at once.

use std::time::Duration;

use sqlx::PgPool;
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

use crate::store::Store;
use crate::store::connect::{IDLE_TIMEOUT, of_one};
use crate::store::db::Db;
use crate::store::send_batch::Lane;
use crate::store::send_queue::Server;

/// How long closing the connection may take.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

/// Begins to serve who waits for sends. Where the system gives no thread they are served by a task.
pub(in crate::store) fn start(store: &Store, pool: &PgPool) {
    let (tasks, own, options) = (Handle::current(), store.clone(), pool.clone());
    let lane = move || match Builder::new_current_thread().enable_io().enable_time().build() {
        Ok(runtime) => runtime.block_on(serve(own, &options)),
        Err(_) => drop(tasks.spawn(own.serve_for_now())),
    };
    if std::thread::Builder::new().name("sends".to_owned()).spawn(lane).is_err() {
        tokio::spawn(store.clone().serve_for_now());
    }
}

/// Until nobody has come for a while.
async fn serve(store: Store, pool: &PgPool) {
    let pool = of_one(pool);
    let store = Store { db: Db::Postgres(pool.clone()), ..store };
    let mut lane = Lane::default();
    loop {
        store.serve_waiting(&mut lane, Server::Resting).await;
        let came = timeout(IDLE_TIMEOUT, store.sends.came()).await;
        if (came.is_err() || store.sends.is_ending()) && store.sends.leave() {
            break;
        }
    }
    drop(lane);
    // It would end with the thread all the same, but this way PostgreSQL is told.
    let _ = timeout(CLOSE_TIME_MAX, pool.close()).await;
    store.sends.went();
}
