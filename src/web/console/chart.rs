//! Pictures made of rectangles: numbers in, whole numbers of a `viewBox` out. The style sheet colours them.
//!
//! A picture is stretched to the width that there is, so it holds no text: words stand beside it, in HTML.

use chrono::{DateTime, Utc};

/// How wide and high a picture of bars is.
pub(super) const PLOT_WIDTH: u64 = 720;
pub(super) const PLOT_HEIGHT: u64 = 100;

/// How wide a strip over time is.
pub(super) const STRIP_WIDTH: u64 = 1_000;

/// The least height of a bar that is not nothing.
const BAR_HEIGHT_MIN: u64 = 3;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) width: u64,
    pub(super) height: u64,
    /// What colours it.
    pub(super) class: &'static str,
}

/// Columns of bars that stand on one another, all to one scale.
pub(super) fn columns(columns: &[Vec<(u64, &'static str)>]) -> Vec<Bar> {
    let most = columns.iter().map(|parts| parts.iter().map(|(count, _)| count).sum()).max().unwrap_or(0).max(1);
    let width = PLOT_WIDTH / u64::try_from(columns.len()).unwrap_or(1).max(1);
    let gap = (width / 6).max(1);
    let mut bars = Vec::new();
    for (index, parts) in (0_u64..).zip(columns) {
        let mut y = PLOT_HEIGHT;
        for (count, class) in parts.iter().filter(|(count, _)| *count > 0) {
            let height = (count * PLOT_HEIGHT / most).max(BAR_HEIGHT_MIN).min(y);
            y -= height;
            bars.push(Bar { x: index * width + gap / 2, y, width: width - gap, height, class });
        }
    }
    bars
}

/// A stretch of time in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) is_valid: bool,
}

/// One flag over time, out of what changed it: the newest change first, each with what it was before. Before `from`
/// nothing is shown.
pub(super) fn stretches(
    now_valid: bool,
    changes: impl IntoIterator<Item = (DateTime<Utc>, bool)>,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let (mut is_valid, mut to) = (now_valid, now);
    for (at, was_valid) in changes {
        if at <= from {
            break;
        }
        stretches.push(Stretch { from: at.min(to), to, is_valid });
        (is_valid, to) = (was_valid, at.min(to));
    }
    stretches.push(Stretch { from: from.min(to), to, is_valid });
    stretches.reverse();
    stretches
}

/// The stretches as bars of a strip from `from` to `to`.
pub(super) fn strip(stretches: &[Stretch], from: DateTime<Utc>, to: DateTime<Utc>, height: u64) -> Vec<Bar> {
    let bar = |stretch: &Stretch| {
        let (x, end) = (place(stretch.from, from, to), place(stretch.to, from, to));
        let class = if stretch.is_valid { "is-ok" } else { "is-bad" };
        Bar { x, y: 0, width: (end.saturating_sub(x)).max(1), height, class }
    };
    stretches.iter().map(bar).collect()
}

/// Where a moment stands on a strip from `from` to `to`.
pub(super) fn place(at: DateTime<Utc>, from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    let whole = u64::try_from((to - from).num_seconds()).unwrap_or(0).max(1);
    let part = u64::try_from((at - from).num_seconds()).unwrap_or(0).min(whole);
    part * STRIP_WIDTH / whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn columns_stand_on_one_scale() {
        let bars = columns(&[vec![(10, "a"), (10, "b")], vec![(0, "a")], vec![(1, "a")]]);
        let shown: Vec<_> = bars.iter().map(|bar| (bar.x, bar.y, bar.height, bar.class)).collect();
        assert_eq!(shown, [(20, 50, 50, "a"), (20, 0, 50, "b"), (500, 95, 5, "a")]);
        let small = columns(&[vec![(1_000_000, "a")], vec![(1, "a")]]);
        assert_eq!(small.last().unwrap().height, BAR_HEIGHT_MIN, "what is there is seen");
        assert_eq!(columns(&[]), []);
        assert_eq!(columns(&[vec![(0, "a")]]), []);
    }

    #[test]
    fn a_flag_is_told_backwards_from_now() {
        let told = |changes: &[(i64, bool)]| {
            let changes = changes.iter().map(|(second, was)| (at(*second), *was));
            let stretches = stretches(true, changes, at(0), at(100));
            stretches
                .iter()
                .map(|s| ((s.from - at(0)).num_seconds(), (s.to - at(0)).num_seconds(), s.is_valid))
                .collect()
        };
        let check = |changes: &[(i64, bool)], expected: &[(i64, i64, bool)]| {
            let told: Vec<_> = told(changes);
            assert_eq!(told, expected);
        };
        check(&[], &[(0, 100, true)]);
        check(&[(40, false)], &[(0, 40, false), (40, 100, true)]);
        check(&[(80, false), (40, true)], &[(0, 40, true), (40, 80, false), (80, 100, true)]);
        check(&[(80, false), (-5, true)], &[(0, 80, false), (80, 100, true)]);
    }

    #[test]
    fn a_strip_has_a_bar_for_each_stretch() {
        let stretches = stretches(false, [(at(75), true)], at(0), at(100));
        let bars: Vec<_> =
            strip(&stretches, at(0), at(100), 9).iter().map(|bar| (bar.x, bar.width, bar.class)).collect();
        assert_eq!(bars, [(0, 750, "is-ok"), (750, 250, "is-bad")]);
        assert_eq!(place(at(500), at(0), at(100)), STRIP_WIDTH);
        assert_eq!(place(at(-5), at(0), at(100)), 0);
        assert_eq!(place(at(0), at(0), at(0)), 0);
    }
}
