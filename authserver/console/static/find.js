// A customer as one types: a combobox (WAI-ARIA APG) whose options are links, so that they open in a new tab, too.
const form = document.querySelector("[data-find]");
const input = form.querySelector("[role=combobox]");
const list = form.querySelector("[role=listbox]");
const said = form.querySelector("[role=status]");
const WAIT_MS = 180;
let timer;
let asked;
let at = -1;

const options = () => [...list.querySelectorAll("[role=option]")];

function point(index) {
  const all = options();
  at = all.length ? (index + all.length) % all.length : -1;
  for (const [each, option] of all.entries()) option.setAttribute("aria-selected", String(each === at));
  if (at < 0) input.removeAttribute("aria-activedescendant");
  else {
    input.setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
  }
}

function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").body;
  list.replaceChildren(...fresh.childNodes);
  const count = options().length;
  input.setAttribute("aria-expanded", String(count > 0));
  said.textContent = input.value.trim() ? (count ? `${count} found. Use the arrow keys.` : list.textContent.trim()) : "";
  point(count === 1 ? 0 : -1);
}

async function look() {
  asked?.abort();
  const query = input.value.trim();
  if (query.length < 2) return show("");
  asked = new AbortController();
  try {
    const answer = await fetch(`${form.dataset.find}?${new URLSearchParams({ q: query })}`, { signal: AbortSignal.any([asked.signal, AbortSignal.timeout(10000)]) });
    if (answer.status === 401) return location.reload();
    show(answer.ok ? await answer.text() : '<p class="quiet none" role="alert">The search does not answer. It is tried again as you type.</p>');
  } catch (error) {
    if (error.name !== "AbortError") show('<p class="quiet none" role="alert">The connection is lost. It is tried again as you type.</p>');
  }
}

input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, WAIT_MS);
});
input.addEventListener("keydown", (event) => {
  const all = options();
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    point(at < 0 ? (event.key === "ArrowDown" ? 0 : -1) : at + (event.key === "ArrowDown" ? 1 : -1));
  } else if (event.key === "Enter" && all.length && at >= 0) {
    event.preventDefault();
    all[at].click();
  } else if (event.key === "Escape") {
    input.value = "";
    show("");
  }
});
if (options().length) input.setAttribute("aria-expanded", "true");
