//! Forgetting: history past `history.keep`, and answers kept for repeated requests past two days.
//!
//! In small steps, so that no step holds a lock that somebody notices.
