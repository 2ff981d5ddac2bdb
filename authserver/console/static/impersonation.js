// One impersonation's page: the code is sent at its last digit, and the device opens by itself when it may.
import { put } from "./live.js";

const now = document.querySelector("#now");

function open() {
  now.querySelector("form[data-opens]")?.requestSubmit();
}

now.addEventListener("input", ({ target }) => {
  if (target.id !== "code") return;
  target.value = target.value.replace(/\D/g, "");
  if (target.value.length === 6) target.form.requestSubmit();
});
now.addEventListener("changed", open);

// Its actor sees the timeline grow; to whoever reads it as evidence, each reading is recorded.
const told = document.querySelector("#told[data-told]");
if (told) now.addEventListener("changed", () => put(told, told.dataset.told));

open();
