//! `http.rate_limits`: how many requests of a class may come in a time.
//!
//! A limit is a bucket: it holds `COUNT` requests, all of which may come at once, and fills again evenly over
//! `DURATION`. So `3000/10s` lets 3,000 come at once, and 300 a second for ever.

use std::time::Duration;

use crate::config::fault::nearest;
use crate::config::keys::{DURATION_MAX, Form};
use crate::config::raw::Raw;
use crate::config::values::{Problem, duration_within, each, number, shown, text};

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// The requests of one operator's key.
    Operator,
    /// The requests of one client's key.
    Client,
    /// The requests of one hook key.
    Hook,
    /// The requests of one setup link.
    Setup,
    /// The requests of one address that came without a key that opens anything.
    Address,
    /// The keys tried from one address that open nothing.
    Failures,
}

impl RateClass {
    /// Every class, in the order in which people are shown them.
    pub const ALL: [RateClass; 6] = [
        RateClass::Operator,
        RateClass::Client,
        RateClass::Hook,
        RateClass::Setup,
        RateClass::Address,
        RateClass::Failures,
    ];

    /// Its word in the settings, in headers and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            RateClass::Operator => "operator",
            RateClass::Client => "client",
            RateClass::Hook => "hook",
            RateClass::Setup => "setup",
            RateClass::Address => "address",
            RateClass::Failures => "failures",
        }
    }

    /// The class of this word.
    pub fn parse(word: &str) -> Option<RateClass> {
        RateClass::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// So many in such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1. As many may come at once.
    pub count: u32,
    /// In which time; at least a second.
    pub per: Duration,
}

/// The limit of each class; nothing where it is not limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    limits: [Option<Rate>; RateClass::ALL.len()],
}

/// Every class unlimited. What the settings are where nobody gives them is the default of `http.rate_limits`.
impl Default for RateLimits {
    fn default() -> RateLimits {
        RateLimits { limits: [None; RateClass::ALL.len()] }
    }
}

impl RateLimits {
    /// The limit of a class.
    pub fn get(&self, class: RateClass) -> Option<Rate> {
        self.limits.get(class as usize).copied().flatten()
    }

    /// The same with another limit for one class.
    #[must_use]
    pub fn with(mut self, class: RateClass, limit: Option<Rate>) -> RateLimits {
        if let Some(place) = self.limits.get_mut(class as usize) {
            *place = limit;
        }
        self
    }
}

/// What is given, over the default: a class that is not named keeps its own.
pub(super) fn rate_limits(raw: &Raw, default: &str) -> Result<RateLimits, Problem> {
    let limits = over(RateLimits::default(), &Raw::text(default))?;
    over(limits, raw)
}

fn over(limits: RateLimits, raw: &Raw) -> Result<RateLimits, Problem> {
    let wanted = "`CLASS = \"COUNT/DURATION\"`, such as `client = \"600/1m\"`";
    let given: Vec<(RateClass, Option<Rate>)> = match raw {
        Raw::Table(table) => {
            let one = |(class, limit): &(String, Raw)| one(class, text(limit, wanted)?);
            table.iter().map(one).collect::<Result<_, _>>()?
        }
        raw => each(raw, &Form::RateLimits.words(), |entry| {
            let text = text(entry, wanted)?;
            let (class, limit) =
                text.split_once('=').ok_or_else(|| format!("{} has no `=`; write {wanted}", shown(text)))?;
            one(class.trim(), limit.trim())
        })?,
    };
    Ok(given.into_iter().fold(limits, |limits, (class, limit)| limits.with(class, limit)))
}

fn one(class: &str, limit: &str) -> Result<(RateClass, Option<Rate>), Problem> {
    let wanted = "write `COUNT/DURATION`, such as `600/1m`, or `unlimited`";
    let Some(known) = RateClass::parse(class) else {
        let words = RateClass::ALL.map(RateClass::as_str);
        return Err(match nearest(class, words) {
            Some(meant) => format!("{} is no class; did you mean `{meant}`?", shown(class)),
            None => format!("{} is no class; there are {}", shown(class), words.join(", ")),
        });
    };
    if limit == "unlimited" {
        return Ok((known, None));
    }
    let (count, per) =
        limit.split_once('/').ok_or_else(|| format!("{class}: {} has no `/`; {wanted}", shown(limit)))?;
    let count = number(&Raw::text(count), 1, COUNT_MAX).map_err(|problem| format!("{class}: {problem}; {wanted}"))?;
    let per = duration_within(&Raw::text(per), Duration::from_secs(1), DURATION_MAX)
        .map_err(|problem| format!("{class}: {problem}"))?;
    Ok((known, Some(Rate { count, per })))
}

/// The most requests of a limit: a thousand a millisecond is as good as none.
const COUNT_MAX: u32 = 1_000_000;
