// Moments in the reader's own zone; in UTC they stay in the title. The head of each page's one script, which calls `localise`.
"use strict";
const localise = (() => {
  const clock = (options) => new Intl.DateTimeFormat(undefined, options);
  const minutes = { hour: "2-digit", minute: "2-digit" };
  const forms = { short: clock(minutes), exact: clock({ ...minutes, second: "2-digit" }), dated: clock({ ...minutes, day: "numeric", month: "short" }) };
  // A moment of today needs no date; one with `data-clock` has none at any time.
  return (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      const form = "clock" in time.dataset ? forms.short : today ? ("seconds" in time.dataset ? forms.exact : forms.short) : forms.dated;
      time.textContent = form.format(at);
    }
  };
})();
