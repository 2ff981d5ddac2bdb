// The trail: times of the filters in the reader's own zone, an address for what is open, and a word while it works.
const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts().find((part) => part.type === "timeZoneName").value;
const two = (number) => String(number).padStart(2, "0");

function local(moment) {
  const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  return `${day}T${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

for (const form of document.querySelectorAll("form[role=search]")) {
  const times = [...form.querySelectorAll("input[type=datetime-local]")];
  for (const input of times) {
    const moment = new Date(input.dataset.instant);
    if (!Number.isNaN(moment.getTime())) input.value = local(moment);
  }
  for (const words of form.querySelectorAll("[data-zone]")) words.textContent = zone;
  form.addEventListener("formdata", ({ formData }) => {
    for (const input of times) if (input.value) formData.set(input.name, new Date(input.value).toISOString().replace(".000", ""));
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
}

// What is open stands in the address; an address opens it.
function open() {
  const event = location.hash && document.getElementById(location.hash.slice(1));
  if (event instanceof HTMLDetailsElement) event.open = true;
}
document.addEventListener("toggle", ({ target }) => {
  if (target.open && target.id) history.replaceState(null, "", `#${target.id}`);
}, true);
addEventListener("hashchange", open);
open();

// A form that takes long says so, and for how long it has.
for (const form of document.querySelectorAll("form[data-works]")) {
  form.addEventListener("submit", () => {
    const said = document.createElement("p");
    said.className = "notice works";
    said.setAttribute("role", "status");
    const bar = document.createElement("progress");
    const words = document.createElement("span");
    const clock = document.createElement("span");
    bar.setAttribute("aria-label", form.dataset.works);
    words.textContent = form.dataset.works;
    clock.className = "quiet";
    clock.setAttribute("aria-hidden", "true");
    said.append(words, bar, clock);
    (document.querySelector("main .title") ?? form).after(said);
    const began = Date.now();
    setInterval(() => (clock.textContent = `${Math.round((Date.now() - began) / 1000)} s`), 1000);
  });
}
