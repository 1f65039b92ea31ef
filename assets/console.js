// The console with script: moments in the reader's own zone, and a quiet refresh.
// Without script they stay in UTC, and the page is refreshed by loading it again.
(() => {
  localise(document);
  document.addEventListener("htmx:afterSwap", () => localise(document));
  // Nothing is taken from under somebody's hands: what is open or has the focus stays as it is until the next time.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const live = event.detail.target;
    if (live.querySelector("details[open]") || live.contains(document.activeElement)) event.detail.shouldSwap = false;
  });
})();
