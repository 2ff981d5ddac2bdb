// Live parts of a page: told of changes by server-sent events; where there are none, by asking again and again.
import { dress } from "./moments.js";

const POLL_MS = 2000;
const AGAIN_MS = 20000;
const LOST_AFTER_MS = 4000;

// Calls back at each change, and says when it hears nothing. It rests while the page is out of sight: browsers allow
// few connections to a host, and people have many tabs.
export class Live {
  #url; #changed; #lost; #source; #poll; #again; #silent;

  constructor(url, changed, lost = () => undefined) {
    this.#url = url;
    this.#changed = changed;
    this.#lost = lost;
    this.#visibility = this.#visibility.bind(this);
    document.addEventListener("visibilitychange", this.#visibility);
    if (document.visibilityState === "visible") this.#listen();
  }

  stop() {
    document.removeEventListener("visibilitychange", this.#visibility);
    this.#rest();
  }

  #visibility = () => {
    if (document.visibilityState !== "visible") return this.#rest();
    this.#changed();
    this.#listen();
  };

  #rest() {
    this.#source?.close();
    clearInterval(this.#poll);
    clearTimeout(this.#again);
    clearTimeout(this.#silent);
    this.#source = this.#poll = this.#silent = undefined;
  }

  #listen() {
    this.#rest();
    const source = (this.#source = new EventSource(this.#url));
    source.onopen = () => this.#heard();
    source.addEventListener("impersonation", () => {
      this.#heard();
      this.#changed();
    });
    source.addEventListener("problem", () => this.#fallBack());
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) return this.#fallBack();
      this.#silent ??= setTimeout(() => this.#lost(true), LOST_AFTER_MS);
    };
  }

  #heard() {
    clearTimeout(this.#silent);
    this.#silent = undefined;
    this.#lost(false);
  }

  #fallBack() {
    this.#rest();
    this.#poll = setInterval(async () => this.#lost((await this.#changed()) === false), POLL_MS);
    this.#again = setTimeout(() => this.#listen(), AGAIN_MS);
  }
}

const shown = new WeakMap();

// Put a part of a page in its place, as the server says it is now; where it is the same, nothing is touched.
// Gives false where the server did not answer.
export async function put(element, url) {
  let answer;
  try {
    const known = shown.get(element);
    answer = await fetch(url, { headers: known ? { "If-None-Match": known } : {}, cache: "no-store", signal: AbortSignal.timeout(10000) });
  } catch {
    return false;
  }
  if (answer.status === 401) location.reload(); // signed out: the page itself has one sign in
  if (answer.status === 304) return true;
  if (!answer.ok) return false;
  const text = await answer.text();
  const first = !shown.has(element);
  shown.set(element, answer.headers.get("ETag"));
  const fresh = new DOMParser().parseFromString(text, "text/html").body;
  if (first && same(element, fresh)) return true;
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  const kept = typed(element);
  const open = [...element.querySelectorAll("details[open][id]")].map((each) => each.id);
  dress(fresh);
  element.replaceChildren(...fresh.childNodes);
  for (const [id, value] of kept) {
    const field = document.getElementById(id);
    if (field) field.value = value;
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus();
  return true;
}

// What stands in the fields is whose hands it came from, whatever else changes around it.
function typed(element) {
  const fields = [...element.querySelectorAll("input[id], textarea[id], select[id]")];
  return fields.filter((field) => (field.tagName === "SELECT" ? field.selectedIndex > 0 : field.value !== "")).map((field) => [field.id, field.value]);
}

// Tell whether a fresh part says what the page says: times are in words there already.
function same(element, fresh) {
  const plain = (root) => {
    const copy = root.cloneNode(true);
    for (const each of copy.querySelectorAll("time, [data-until]")) each.replaceChildren();
    for (const each of copy.querySelectorAll("time")) each.removeAttribute("title");
    for (const each of copy.querySelectorAll("input[name=page]")) each.remove();
    return copy.innerHTML.trim();
  };
  return plain(element) === plain(fresh);
}
