// The setup page with script: copy buttons, the reader's own time, and what the server says as it happens.
// Everything the page knows stands in it without this, too.
(() => {
  const main = document.getElementById("main");
  const live = (root) => [...root.querySelectorAll("[data-live]")];
  // Each live part as the server wrote it, for here it is changed: times are put into the reader's zone.
  const written = new Map();
  const ids = (parts) => parts.map((part) => part.id).join();

  function say(texts) {
    if (texts.length > 0) document.getElementById("say").textContent = texts.join(". ");
  }

  function remember() {
    written.clear();
    for (const part of live(document)) written.set(part.id, part.outerHTML);
    localise(document);
  }

  // Puts what is new into its place. Nothing else moves, and the focus stays where it is.
  function show(html) {
    const next = new DOMParser().parseFromString(html, "text/html");
    const parts = live(next);
    const here = live(document);
    if (parts.length === 0 || ids(parts) !== ids(here)) return location.reload();
    const news = [];
    for (const part of parts) {
      if (written.get(part.id) === part.outerHTML) continue;
      const old = document.getElementById(part.id);
      const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
      written.set(part.id, part.outerHTML);
      if (part.dataset.say && part.dataset.say !== old.dataset.say) news.push(part.dataset.say);
      if (part.dataset.title) document.title = part.dataset.title;
      const fresh = document.adoptNode(part);
      const wasOpen = old.querySelector("details[open]") !== null;
      localise(fresh);
      old.replaceWith(fresh);
      if (wasOpen) fresh.querySelector("details")?.setAttribute("open", "");
      if (focus) document.getElementById(focus)?.focus();
    }
    say(news);
  }

  async function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // Without permission, or without TLS: what is selected can still be copied.
      field.select();
      if (!document.execCommand("copy")) return;
    }
    button.classList.add("done");
    say(["Copied"]);
    setTimeout(() => button.classList.remove("done"), 1600);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("input[readonly], textarea[readonly]")) event.target.select();
  });

  const form = document.getElementById("verify");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.setAttribute("aria-disabled", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { accept: "text/html" } });
      show(await answer.text());
    } catch {
      document.getElementById("lost").hidden = false;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });

  remember();
  const stream = new EventSource(main.dataset.stream);
  stream.addEventListener("page", (event) => {
    document.getElementById("lost").hidden = true;
    show(event.data);
  });
  stream.addEventListener("error", () => {
    // Else the browser comes again by itself.
    if (stream.readyState === EventSource.CLOSED) document.getElementById("lost").hidden = false;
  });
})();
