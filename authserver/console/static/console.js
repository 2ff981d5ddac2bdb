// On every page: times in the reader's zone, countdowns, the banner, and forms that are sent once.
import { dress } from "./moments.js";
import "./parts.js";
import { watch } from "./banner.js";

dress(document);
watch(document.querySelector("#banner"));
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest" });

// The places are a popover on a phone alone: a window that grows has them at its side.
const places = document.querySelector("#places");
matchMedia("(max-width: 52rem)").addEventListener("change", ({ matches }) => {
  if (!matches && places?.matches(":popover-open")) places.hidePopover();
});

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

// "/" goes to the search, wherever one is.
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  const search = document.querySelector("#q");
  if (search) search.focus();
  else document.querySelector(".brand").click();
});
