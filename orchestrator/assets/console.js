// Keeps a page current: lists are fetched again every two seconds, one saga is streamed version by version.
"use strict";

const lost = document.getElementById("link");

function show(section, html) {
  lost.hidden = true;
  if (section.shown !== html) {
    section.shown = html;
    section.innerHTML = html;
  }
}

for (const section of document.querySelectorAll("[data-poll]")) {
  setInterval(async () => {
    // A selection would be lost under the reader's hands.
    if (document.hidden || !document.getSelection().isCollapsed) return;
    try {
      const answer = await fetch(section.dataset.poll + location.search);
      if (!answer.ok) throw new Error(answer.statusText);
      show(section, await answer.text());
    } catch {
      lost.hidden = false;
    }
  }, 2000);
}

for (const section of document.querySelectorAll("[data-stream]")) {
  const stream = new EventSource(section.dataset.stream);
  stream.addEventListener("version", (event) => show(section, event.data));
  stream.addEventListener("end", (event) => {
    stream.close();
    show(section, event.data);
  });
  stream.addEventListener("error", () => { lost.hidden = false; });
  stream.addEventListener("open", () => { lost.hidden = true; });
}
