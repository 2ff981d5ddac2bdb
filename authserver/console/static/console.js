// On every page: times in the reader's zone, countdowns, the banner, and forms that are sent once.
import { dress } from "./moments.js";
import "./parts.js";
import { watch } from "./banner.js";

dress(document);
watch(document.querySelector("#banner"));

document.addEventListener("submit", ({ target, submitter }) => {
  if (target.dataset.sent) return;
  setTimeout(() => {
    target.dataset.sent = "yes";
    submitter?.setAttribute("aria-busy", "true");
    for (const button of target.querySelectorAll("button")) button.disabled = true;
  });
});
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload(); // a page from the browser's memory: what it says is old
});
