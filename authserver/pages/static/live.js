// Keeps a customer's page true: hears by server-sent events that something has changed, and renews what did. Where it
// cannot listen it asks every few seconds. Without a connection it says so, asks less and less often, and catches up
// when there is one again.
const EVERY = 2000;
const LATER = 5000; // for a page that has been open for ten minutes
const OUT_OF_SIGHT = 10000;
const LONGEST = 30000;
const PATIENCE = 8000;
const SILENT = 20000; // the server says something every 10 seconds at least
const LISTEN_AGAIN = 20000; // after it would not let us listen: others do
const LISTEN_RARELY = 300000;
const HELD = 5000;

const box = document.querySelector("[data-live-url]");
const news = document.querySelector("[data-live-news]");
const blank = document.createElement("template");
let version = box.dataset.liveVersion;
let failures = 0;
let refusals = 0; // how often listening was refused in a row
let timer = 0;
let silence = 0;
let listenFrom = 0;
let asking = false;
/** @type {string | undefined} */
let wanted; // what to look at next: a version that was heard of, or with no words whatever there is
let pressed = false;
let sentAt = -Infinity; // when a form was sent: this page is about to be another
let listening = false;
/** @type {EventSource | undefined} */
let source;

const get = (url) => fetch(url, { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });

function say(words) {
  if (box.textContent !== words) box.textContent = words;
  box.hidden = !words;
}

// What a part says, whatever has been made of its times, and whatever has been opened in it.
function plain(part) {
  blank.innerHTML = part.innerHTML;
  for (const time of blank.content.querySelectorAll("time")) time.textContent = "";
  for (const details of blank.content.querySelectorAll("details")) details.removeAttribute("open");
  return blank.innerHTML;
}

const headings = (part) => [...part.querySelectorAll("[data-news]")].map((each) => each.textContent);

// What somebody has typed or chosen in a part, and not sent yet; returns how to put it into the part's successor.
function typed(part) {
  const same = (field) => (other) => other.id === field.id && other.name === field.name && (other.type === field.type)
    && (!["checkbox", "radio"].includes(field.type) || other.value === field.value);
  const changed = [...part.querySelectorAll("input:not([type=hidden]), textarea, select")].filter((field) =>
    field.value !== (field.defaultValue ?? field.value) || field.checked !== (field.defaultChecked ?? field.checked) || field.tagName === "SELECT");
  return (next) => {
    const fields = [...next.querySelectorAll("input, textarea, select")];
    for (const field of changed) {
      const successor = fields.find(same(field));
      if (!successor) continue;
      if (["checkbox", "radio"].includes(field.type)) successor.checked = field.checked;
      else if (field.tagName !== "SELECT" || [...successor.options].some((each) => each.value === field.value)) successor.value = field.value;
    }
  };
}

// A press that has begun ends where it began, and a form on its way is not taken apart: nothing moves under a finger.
const released = () => new Promise((done) => {
  const latest = performance.now() + HELD;
  const wait = () => {
    const now = performance.now();
    return now < latest && (pressed || now < sentAt + HELD) ? setTimeout(wait, 50) : done(undefined);
  };
  wait();
});

// Puts the present page's living parts in place of the old ones where they say something else; what had the focus has
// it again, and what was typed stays.
function renew(text) {
  const present = new DOMParser().parseFromString(text, "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = present.getElementById(old.id);
    if (next === null || plain(next) === plain(old)) continue;
    const before = headings(old);
    const key = old.contains(document.activeElement) ? document.activeElement.dataset.key || document.activeElement.id : undefined;
    const open = [...old.querySelectorAll("details")].map((each) => each.open);
    typed(old)(next);
    old.replaceChildren(...next.childNodes);
    old.querySelectorAll("details").forEach((each, at) => { each.open = open[at] ?? false; });
    if (key) [...old.querySelectorAll("[data-key], [id]")].find((each) => [each.dataset.key, each.id].includes(key))?.focus({ preventScroll: true });
    const [said] = headings(old);
    if (said && headings(old).join() !== before.join()) news.textContent = said;
  }
  document.title = present.title;
  document.dispatchEvent(new Event("renewed"));
}

// Renews the page where this is not the version that it shows.
async function catchUp(found) {
  if (found === version) return;
  if (document.querySelector("[data-live]")) {
    const shown = await get(location.pathname + location.search);
    if (!shown.ok) throw new Error("no page");
    const text = await shown.text();
    await released();
    renew(text);
  }
  version = found;
}

// Returns how long to wait until the next look; with nobody signed in there is nothing to listen to.
async function look() {
  const answer = await get(box.dataset.liveUrl);
  if (answer.status === 401 || answer.status === 403) {
    rest();
    version = ""; // whoever signs in again has other forms
    say(box.dataset.signedOut);
    return LONGEST;
  }
  if (answer.status === 429) return 1000 * (Number(answer.headers.get("Retry-After")) || LONGEST / 1000);
  if (!answer.ok) throw new Error("no answer");
  await catchUp((await answer.json()).version);
  say("");
  listen();
  if (document.hidden) return OUT_OF_SIGHT;
  return performance.now() > 600000 ? LATER : EVERY;
}

// Looks at a version that was heard of, or asks for it; and goes on asking for as long as it cannot listen.
async function next(heard = "") {
  wanted = heard;
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  let wait = EVERY;
  while (wanted !== undefined) {
    const found = wanted;
    wanted = undefined;
    try {
      if (found) await catchUp(found);
      else wait = await look();
      failures = 0;
    } catch {
      rest();
      wait = failed();
    }
  }
  asking = false;
  if (!listening) timer = setTimeout(next, wait);
}

function failed() {
  failures += 1;
  if (failures > 1 || !navigator.onLine) say(box.dataset.lost);
  return Math.min(EVERY * 2 ** (failures - 1), LONGEST);
}

// Listens unless it does already, is out of sight (others have a better use for a connection), or is to wait.
function listen() {
  if (source || document.hidden || performance.now() < listenFrom) return;
  const mine = (source = new EventSource(box.dataset.liveStream));
  let opened = 0;
  mine.onopen = () => {
    opened = performance.now();
    listening = true;
    clearTimeout(timer);
    alive();
  };
  mine.addEventListener("alive", alive);
  mine.addEventListener("version", (event) => {
    refusals = 0;
    alive();
    next(JSON.parse(event.data).version);
  });
  mine.addEventListener("over", () => next());
  mine.onerror = () => {
    if (source !== mine) return;
    rest();
    if (!opened) refusals += 1;
    const lasted = opened && performance.now() - opened > SILENT;
    const pause = Math.min(LISTEN_AGAIN * 2 ** Math.max(0, refusals - 1), LISTEN_RARELY);
    listenFrom = performance.now() + (lasted ? 0 : opened ? EVERY / 2 : pause * (0.75 + Math.random() / 2));
    next();
  };
}

function alive() {
  clearTimeout(silence);
  silence = setTimeout(() => { rest(); next(); }, SILENT);
}

function rest() {
  source?.close();
  source = undefined;
  listening = false;
  clearTimeout(silence);
}

listen();
timer = setTimeout(next, EVERY); // unless we are heard before
addEventListener("online", () => next());
addEventListener("offline", () => { rest(); say(box.dataset.lost); next(); });
addEventListener("pageshow", (event) => { if (event.persisted) next(); });
addEventListener("pagehide", rest);
addEventListener("pointerdown", () => { pressed = true; });
addEventListener("keydown", (event) => { pressed = event.key === " "; });
for (const end of ["click", "keyup", "pointercancel", "dragend", "blur"]) addEventListener(end, () => { pressed = false; });
addEventListener("pointerup", () => { setTimeout(() => { pressed = false; }); }); // the click comes first
addEventListener("submit", () => { sentAt = performance.now(); });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) rest();
  next();
});
