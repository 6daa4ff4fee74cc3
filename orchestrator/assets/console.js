// Keeps a page current: lists are fetched again every two seconds, one saga is streamed version by version. The forms beside
// a stream offer what its last version allows.
"use strict";

const lost = document.getElementById("link");

function show(section, html) {
  lost.hidden = true;
  if (section.shown !== html) {
    section.shown = html;
    section.innerHTML = html;
    fit(section);
  }
}

// A form acts on the version that was shown when its reason was begun: what came later, its writer may not have seen.
function fit(section) {
  const now = section.querySelector("[data-verbs]");
  if (!now) return;
  const verbs = now.dataset.verbs.split(" ");
  for (const form of document.querySelectorAll("form.act")) {
    const { version, reason } = form.elements;
    if (!reason.value) version.value = now.dataset.version;
    form.querySelector(".moved").hidden = version.value === now.dataset.version;
    const buttons = [...form.querySelectorAll("button[name=verb]")];
    for (const button of buttons) button.hidden = !verbs.includes(button.value);
    (form.closest("details") ?? form).hidden = buttons.every((button) => button.hidden);
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
