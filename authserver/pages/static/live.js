// Keeps a customer's page true: asks every few seconds whether something has changed, and renews what did. Without a
// connection it says so, asks less and less often, and catches up when there is one again.
const EVERY = 2000;
const LATER = 5000; // for a page that has been open for ten minutes
const OUT_OF_SIGHT = 10000;
const LONGEST = 30000;
const PATIENCE = 8000;

const box = document.querySelector("[data-live-url]");
const news = document.querySelector("[data-live-news]");
let version = box.dataset.liveVersion;
let failures = 0;
let timer = 0;
let asking = false;
const sources = new WeakMap();

const get = (url) => fetch(url, { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });

function say(words) {
  if (box.textContent !== words) box.textContent = words;
  box.hidden = !words;
}

// Puts the present page's living parts in place of the old ones; what had the focus has it again.
function renew(text) {
  const present = new DOMParser().parseFromString(text, "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = present.getElementById(old.id);
    if (next === null || next.innerHTML === sources.get(old)) continue;
    const heading = old.querySelector("[data-news]")?.textContent;
    const key = old.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const open = [...old.querySelectorAll("details")].map((each) => each.open);
    sources.set(old, next.innerHTML);
    old.replaceChildren(...next.childNodes);
    old.querySelectorAll("details").forEach((each, at) => { each.open = open[at] ?? false; });
    if (key) [...old.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key)?.focus();
    const said = old.querySelector("[data-news]")?.textContent;
    if (said && said !== heading) news.textContent = said;
  }
  document.title = present.title;
  document.dispatchEvent(new Event("renewed"));
}

// Returns how long to wait until the next look.
async function look() {
  const answer = await get(box.dataset.liveUrl);
  if (answer.status === 401 || answer.status === 403) {
    say(box.dataset.signedOut);
    return LONGEST;
  }
  if (answer.status === 429) return 1000 * (Number(answer.headers.get("Retry-After")) || LONGEST / 1000);
  if (!answer.ok) throw new Error("no answer");
  const found = (await answer.json()).version;
  if (found !== version) {
    const shown = await get(location.pathname + location.search);
    if (!shown.ok) throw new Error("no page");
    renew(await shown.text());
    version = found;
  }
  say("");
  if (document.hidden) return OUT_OF_SIGHT;
  return performance.now() > 600000 ? LATER : EVERY;
}

async function next() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  let wait;
  try {
    wait = await look();
    failures = 0;
  } catch {
    failures += 1;
    if (failures > 1 || !navigator.onLine) say(box.dataset.lost);
    wait = Math.min(EVERY * 2 ** (failures - 1), LONGEST);
  }
  asking = false;
  timer = setTimeout(next, wait);
}

timer = setTimeout(next, EVERY);
addEventListener("online", next);
addEventListener("offline", () => say(box.dataset.lost));
addEventListener("pageshow", (event) => { if (event.persisted) next(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) next(); });
