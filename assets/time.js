// Puts moments into the reader's own zone; in UTC they stand in the title. Without script they stay in UTC.
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
})();
