//! The shape of every list (contract §3): `{"data": […], "next_cursor": …}`.

use serde::Serialize;
use utoipa::ToSchema;

use crate::service::Page;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The entries.
    data: Vec<T>,
    /// Give it as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page, each entry shaped by `body`, its end by `cursor`.
    pub(super) fn of<I, C>(page: Page<I, C>, cursor: impl FnOnce(C) -> String, body: impl FnMut(I) -> T) -> List<T> {
        List { data: page.items.into_iter().map(body).collect(), next_cursor: page.next.map(cursor) }
    }

    /// A list that always fits on one page.
    pub(super) fn whole(data: Vec<T>) -> List<T> {
        List { data, next_cursor: None }
    }
}
