// The console with script: moments in the reader's own zone (in UTC they stand in the title), and a quiet refresh.
// Without script they stay in UTC, and the page is refreshed by loading it again.
"use strict";
(() => {
  const clock = (options) => new Intl.DateTimeFormat(undefined, options);
  const minutes = { hour: "2-digit", minute: "2-digit" };
  const forms = { short: clock(minutes), exact: clock({ ...minutes, second: "2-digit" }), dated: clock({ ...minutes, day: "numeric", month: "short" }) };
  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      const form = "clock" in time.dataset ? forms.short : today ? ("seconds" in time.dataset ? forms.exact : forms.short) : forms.dated;
      time.textContent = form.format(at);
    }
  }
  localise(document);
  document.addEventListener("htmx:afterSwap", () => localise(document));
  // Nothing is taken from under somebody's hands: what is open or has the focus stays as it is until the next time.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const live = event.detail.target;
    if (live.querySelector("details[open]") || live.contains(document.activeElement)) event.detail.shouldSwap = false;
  });
})();
